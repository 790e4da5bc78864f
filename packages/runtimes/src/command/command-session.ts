import { StringDecoder } from "node:string_decoder";

import type {
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
  RuntimeTurn,
  RuntimeTurnResult,
} from "@agentos/core";
import { type AgentOsError, DEFAULTS } from "@agentos/protocol";

import { AgentProcess } from "../agent-process/agent-process.ts";
import { endLeftTree } from "../agent-process/agent-tree.ts";
import { commandOf } from "../vm-agent/check-given.ts";
import { promptText } from "../vm-agent/prompt-text.ts";
import type { Surroundings } from "../vm-agent/surroundings.ts";

/** Of a reply that the turn's result tells; all of it is in the events. */
const REPLY_CHARS = 256 * 1024;

/** In an argument: the prompt takes its place. */
const PROMPT_PLACE = "{prompt}";

export interface CommandSessionOptions {
  readonly request: RuntimeRequest;
  readonly host: RuntimeHost;
  readonly surroundings: Surroundings;
}

/** Runs the program once a turn. What it leaves running goes on until the session ends. */
export class CommandSession implements RuntimeSession {
  readonly exited: Promise<AgentOsError> = new Promise(() => undefined);
  readonly #options: CommandSessionOptions;
  #running: AgentProcess | undefined;

  constructor(options: CommandSessionOptions) {
    this.#options = options;
  }

  async prompt({ content, signal }: RuntimeTurn): Promise<RuntimeTurnResult> {
    const { host } = this.#options;
    const prompt = await promptText(host.vm, content);
    const reply = new Reply((delta) => host.emit({ type: "text", delta }));
    const program = await this.#start(prompt, reply, signal);
    this.#running = program;
    const abort = (): void => {
      program.signal("SIGTERM");
      // Its failure is told by the same call below.
      program[Symbol.asyncDispose]().catch(() => undefined);
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      if (signal.aborted) abort();
      const exit = await program.exit;
      const text = reply.end();
      if (signal.aborted) return { stopReason: "cancelled", text };
      if (exit.exitCode === 0) return { stopReason: "end_turn", text };
      const error = await program.exited;
      return { stopReason: "error", text, error, ...(text === "" ? { aborted: true } : {}) };
    } finally {
      signal.removeEventListener("abort", abort);
      // After a cancel nothing of it may stay; else what it started is its work.
      if (signal.aborted) await program[Symbol.asyncDispose]();
      else program.leave();
      this.#running = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { host, request } = this.#options;
    const withinMs = request.spec.timeouts?.shutdownMs ?? DEFAULTS.agentShutdownMs;
    await this.#running?.[Symbol.asyncDispose]();
    await endLeftTree(host.vm, request.sessionId, withinMs / 2);
  }

  async #start(prompt: string, reply: Reply, signal: AbortSignal): Promise<AgentProcess> {
    const { host, request, surroundings } = this.#options;
    const { spec, cwd, sessionId } = request;
    const { args = [] } = spec;
    const isArgument = args.some((arg) => arg.includes(PROMPT_PLACE));
    const command = commandOf(spec);
    const program = await AgentProcess.start(
      {
        agent: command,
        vm: host.vm,
        sessionId,
        argv: [command, ...args.map((arg) => arg.replaceAll(PROMPT_PLACE, () => prompt))],
        cwd,
        env: surroundings.env,
        // Some read it to its end although they have their prompt.
        stdin: isArgument ? "none" : "pipe",
        keepTree: true,
        shutdownMs: spec.timeouts?.shutdownMs,
        onBytes: (bytes) => reply.add(bytes),
      },
      { signal },
    );
    if (!isArgument) {
      // A program that ends without reading it has its reasons.
      void program.write(prompt).then(() => program.endInput());
    }
    return program;
  }
}

/** What the program has written, told as it comes. */
class Reply {
  readonly #decoder = new StringDecoder("utf8");
  readonly #tell: (delta: string) => void;
  #text = "";

  constructor(tell: (delta: string) => void) {
    this.#tell = tell;
  }

  add(bytes: Uint8Array): void {
    this.#take(this.#decoder.write(Buffer.from(bytes)));
  }

  /** The whole, without the end of its last line. */
  end(): string {
    this.#take(this.#decoder.end());
    return this.#text.replace(/\r?\n$/, "");
  }

  #take(delta: string): void {
    if (delta === "") return;
    this.#tell(delta);
    this.#text += delta.slice(0, Math.max(0, REPLY_CHARS - this.#text.length));
  }
}
