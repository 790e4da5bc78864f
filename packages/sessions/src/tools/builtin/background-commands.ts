import { randomUUID } from "node:crypto";
import { StringDecoder } from "node:string_decoder";

import type { SessionVm, VmProcess } from "@agentos/core";
import { AgentOsError, ByteReader, DEFAULTS } from "@agentos/protocol";
import * as z from "zod";

import { builtinTool } from "../builtin-tool.ts";
import type { Tool } from "../tool.ts";

/** Commands that one session may have in the background. */
const MAX_BACKGROUND_COMMANDS = 32;

/** Characters of a background command's output that wait to be read; the oldest go first. */
const MAX_UNREAD = DEFAULTS.toolResultBytes / 2;

interface Running {
  readonly process: VmProcess;
  /** How it ended; undefined while it runs. */
  end: string | undefined;
  /** Resolves when `end` is known. */
  ended: Promise<void>;
  unread: string;
}

interface StartRequest {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The commands that a session's agent left running. Disposing ends them all. */
export class BackgroundCommands implements AsyncDisposable {
  readonly #vm: SessionVm;
  readonly #running = new Map<string, Running>();

  constructor(vm: SessionVm) {
    this.#vm = vm;
  }

  /** Rejects with `POOL_EXHAUSTED` past the bound. */
  async start(request: StartRequest): Promise<string> {
    const alive = [...this.#running.values()].filter(({ end }) => end === undefined).length;
    if (alive >= MAX_BACKGROUND_COMMANDS) throw tooMany(alive);
    const id = `background-${randomUUID().slice(0, 8)}`;
    const decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
    const reader = new ByteReader(
      (bytes, channel) => this.#wrote(id, decoders[channel].write(bytes)),
      "process",
    );
    const process = await this.#vm.handle().startProcess(
      {
        ...request,
        processId: `tool-${id}-${randomUUID()}`,
        env: { ...this.#vm.environment, ...request.env },
        stdin: "none",
        output: "piped",
        windowBytes: DEFAULTS.streamWindowBytes,
      },
      reader,
    );
    const running: Running = { process, end: undefined, ended: Promise.resolve(), unread: "" };
    this.#running.set(id, running);
    running.ended = this.#watch(running, reader);
    reader.attach(process);
    return `${id} runs`;
  }

  /** read_output and stop_command. */
  get tools(): readonly Tool[] {
    const input = z.object({ id: z.string() });
    return [
      builtinTool({
        name: "read_output",
        description: "What a background command wrote since it was last read, and whether it runs.",
        input,
        run: async ({ id }) => this.#read(id),
      }),
      builtinTool({
        name: "stop_command",
        description: "End a background command.",
        input,
        run: async ({ id }) => {
          const { process, ended } = this.#find(id);
          process.signal("SIGKILL", "session");
          await ended;
          return this.#read(id);
        },
      }),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#running.values()].filter(({ end }) => end === undefined);
    for (const { process } of running) process.signal("SIGKILL", "session");
    // Where the VM goes first, they go with it.
    await Promise.all(running.map(({ ended }) => ended));
    for (const { process } of this.#running.values()) process.close();
    this.#running.clear();
  }

  #wrote(id: string, text: string): void {
    const running = this.#running.get(id);
    if (running !== undefined) running.unread = (running.unread + text).slice(-MAX_UNREAD);
  }

  async #watch(running: Running, reader: ByteReader): Promise<void> {
    try {
      const exit = await running.process.exited;
      reader.until({ stdout: exit.stdoutBytes, stderr: exit.stderrBytes });
      await reader.ended;
      running.end = exit.signal === null ? `exit code ${exit.exitCode}` : `ended by ${exit.signal}`;
    } catch {
      running.end = "ended with its VM";
    }
  }

  #read(id: string): string {
    const running = this.#find(id);
    const { unread, end } = running;
    running.unread = "";
    return `${unread}\n[${end ?? "still runs"}]`;
  }

  #find(id: string): Running {
    const running = this.#running.get(id);
    if (running !== undefined) return running;
    throw new AgentOsError("NOT_FOUND", `there is no background command ${id}`, {
      kind: "background command",
      id,
    });
  }
}

function tooMany(waiting: number): AgentOsError {
  const capacity = MAX_BACKGROUND_COMMANDS;
  return new AgentOsError("POOL_EXHAUSTED", `${capacity} background commands run already`, {
    limit: "backgroundCommands",
    capacity,
    waiting,
  });
}
