import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type { AdoptedProcess, FrameSink, SessionVm, VmProcess, VmProcessExit } from "@agentos/core";
import {
  AgentOsError,
  ByteReader,
  ByteWriter,
  DEFAULTS,
  isAgentOsError,
  type Json,
  type Signal,
} from "@agentos/protocol";

import { type AgentLine, parseLine } from "./agent-line.ts";
import { endAgentTree, SESSION_VARIABLE } from "./agent-tree.ts";
import { endProcess } from "./end-process.ts";
import { LineSplitter } from "./line-splitter.ts";
import { LineTail } from "./line-tail.ts";

/** What an ended program's last bytes may take, where something else holds its stdout open. */
const DRAIN_MS = 1_000;

/** Of a line whose end has not come, where its beginning is to be kept in the VM: less than a window. */
const KEPT_BYTES = DEFAULTS.streamWindowBytes / 2;

export interface AgentProcessOptions {
  /** In messages: `gemini-cli`. */
  readonly agent: string;
  readonly vm: SessionVm;
  readonly sessionId: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Beside the VM's own environment, which nothing of the host is in. */
  readonly env: Readonly<Record<string, string>>;
  /** Default `pipe`. */
  readonly stdin?: "none" | "pipe";
  /** The line that installs it: where its program is not there, the error says so. */
  readonly install?: string | undefined;
  /** Leaves what an earlier program of the session started. Default false: an agent never has two trees. */
  readonly keepTree?: boolean;
  /** Every line of stdout, in order, and where in it the line ends. */
  readonly onLine?: (line: AgentLine, end: number) => void;
  /** Lines are acknowledged by `acknowledge`: the VM keeps them for the next life of the sidecar. Default false: once `onLine` returns. */
  readonly keepsLines?: boolean;
  /** In place of `onLine`: stdout as it comes. */
  readonly onBytes?: (bytes: Uint8Array) => void;
  /** From asking it to end to `DEADLINE_EXCEEDED`. Default `DEFAULTS.agentShutdownMs`. */
  readonly shutdownMs?: number | undefined;
}

/** How an agent's program ended. */
export interface AgentExit {
  /** Both null: nobody saw it, the VM went first. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The VM's limit that it was killed at. */
  readonly limit?: string | undefined;
  /** The last lines. */
  readonly stderr: readonly string[];
}

/**
 * An agent's program in a VM. Disposing ends it in order: its stdin is closed, then SIGTERM, then SIGKILL,
 * and it resolves once no process of the agent is left, wherever it hid; else it rejects with `DEADLINE_EXCEEDED`.
 */
export class AgentProcess implements AsyncDisposable {
  readonly #options: AgentProcessOptions;
  readonly processId: string;
  readonly #input: ByteWriter;
  readonly #stderr = new LineTail();
  readonly #lines: LineSplitter;
  readonly #reader: ByteReader;
  readonly #exit = Promise.withResolvers<AgentExit>();
  #process: VmProcess | undefined;
  #ending: Promise<void> | undefined;
  #readOn: (() => Promise<void>) | undefined;

  private constructor(
    options: AgentProcessOptions,
    processId: string,
    from = { stdout: 0, stderr: 0, stdin: 0 },
  ) {
    this.processId = processId;
    this.#options = options;
    this.#input = new ByteWriter({ from: from.stdin });
    this.#lines = new LineSplitter((line, end) => options.onLine?.(parseLine(line), end), {
      from: from.stdout,
    });
    const { stdout, stderr } = from;
    const { keepsLines: keepsStdout = false } = options;
    this.#reader = new ByteReader(
      (bytes, channel) => {
        if (channel === "stderr") this.#stderr.add(bytes);
        else if (options.onBytes !== undefined) options.onBytes(bytes);
        else this.#addLines(bytes);
      },
      "process",
      { from: { stdout, stderr }, keepsStdout },
    );
  }

  /**
   * What an earlier life of the session left running is ended first.
   * Rejects with `AGENT_NOT_INSTALLED`, or as starting a process does; nothing is left then.
   */
  static async start(
    options: AgentProcessOptions,
    { signal }: { signal: AbortSignal },
  ): Promise<AgentProcess> {
    const { vm, sessionId, keepTree = false } = options;
    const withinMs = options.shutdownMs ?? DEFAULTS.agentShutdownMs;
    if (!keepTree) await endAgentTree(vm.handle(), sessionId, { withinMs });
    signal.throwIfAborted();
    const agent = new AgentProcess(options, `agent-${randomUUID()}`);
    await agent.#start();
    if (!signal.aborted) return agent;
    await agent[Symbol.asyncDispose]();
    throw signal.reason;
  }

  /**
   * Takes over one that an earlier life of the sidecar started, of whose stdout it had the meaning of that much.
   * Reading begins with `readOn`.
   */
  static adopt(
    options: AgentProcessOptions,
    adopted: AdoptedProcess,
    stdoutBytes: number,
  ): AgentProcess {
    const { process, processId, acknowledged, stdinReceived: stdin = 0 } = adopted;
    const stdout = Math.max(stdoutBytes, acknowledged.stdout);
    const { stderr } = acknowledged;
    const agent = new AgentProcess(options, processId, { stdout, stderr, stdin });
    adopted.attach(agent.#sink());
    agent.#keep(process);
    agent.#readOn = () => process.resume({ stdout, stderr });
    return agent;
  }

  /** Undefined: it is gone. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves, never rejects, once the program is gone and its last line was told. */
  get exit(): Promise<AgentExit> {
    return this.#exit.promise;
  }

  /** The same as the error that a turn ends with. */
  get exited(): Promise<AgentOsError<"AGENT_EXITED">> {
    return this.exit.then((exit) => exitError(this.#options.agent, exit));
  }

  /** Of one that was taken over: its lines come from now on. Rejects where the VM no longer has them. */
  async readOn(): Promise<void> {
    await this.#readOn?.();
  }

  /** The VM may forget stdout up to here. */
  acknowledge(stdoutBytes: number): void {
    this.#reader.acknowledge(stdoutBytes);
  }

  /** The last lines of stderr so far. */
  get stderr(): readonly string[] {
    return this.#stderr.lines;
  }

  /** One line of JSON on stdin. */
  async send(value: Json): Promise<void> {
    await this.write(`${JSON.stringify(value)}\n`);
  }

  /** Resolves once the VM has it, or the program is gone; rejects with `POOL_EXHAUSTED` where the program reads nothing of far too much. */
  async write(text: string): Promise<void> {
    this.#input.write(Buffer.from(text));
    await this.#input.drained;
  }

  endInput(): void {
    this.#input.end();
  }

  /** To the program and all of its session. */
  signal(signal: Signal): void {
    this.#process?.signal(signal, "session");
  }

  /** The program has ended: lets go of it, and leaves what it started. */
  leave(): void {
    this.#process?.close();
    this.#process = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { vm, sessionId, shutdownMs = DEFAULTS.agentShutdownMs } = this.#options;
    const process = this.#process;
    if (process === undefined) return;
    const ask = (): void => this.#input.end();
    this.#ending ??= endProcess({ vm, sessionId, process, shutdownMs, gone: this.exit, ask });
    await this.#ending;
  }

  async #start(): Promise<void> {
    const { agent, vm, sessionId, argv, cwd, env, stdin = "pipe", install } = this.#options;
    const started = vm.handle().startProcess(
      {
        processId: this.processId,
        argv,
        cwd,
        env: {
          ...BASE_ENVIRONMENT,
          ...vm.environment,
          TERM: "dumb",
          ...env,
          [SESSION_VARIABLE]: sessionId,
        },
        stdin,
        output: "piped",
        windowBytes: DEFAULTS.streamWindowBytes,
      },
      this.#sink(),
    );
    const process = await started.catch((error: unknown) => {
      if (install === undefined || !isAgentOsError(error, "COMMAND_NOT_FOUND")) throw error;
      throw notInstalled(agent, install);
    });
    this.#keep(process);
  }

  #keep(process: VmProcess): void {
    this.#process = process;
    void this.#watch(process);
    this.#input.attach(process);
    this.#reader.attach(process);
  }

  #sink(): FrameSink {
    return {
      frame: (bytes) => void (this.#input.frame(bytes) || this.#reader.frame(bytes)),
      closed: (reason) => this.#reader.closed(reason),
    };
  }

  #addLines(bytes: Uint8Array): void {
    this.#lines.add(bytes);
    // What a window does not hold can't be kept.
    if (this.#options.keepsLines === true && this.#lines.openBytes > KEPT_BYTES)
      this.#reader.acknowledge(this.#lines.at);
  }

  async #watch(process: VmProcess): Promise<void> {
    let exit: VmProcessExit | undefined;
    try {
      exit = await process.exited;
      this.#reader.until({ stdout: exit.stdoutBytes, stderr: exit.stderrBytes });
      // What it left in the background may hold stdout open: that is not waited for.
      await Promise.race([this.#reader.ended.catch(() => undefined), sleep(DRAIN_MS)]);
    } catch {
      // It went with its VM.
    }
    this.#input.close();
    this.#lines.end();
    const { exitCode = null, signal = null } = exit ?? {};
    this.#exit.resolve({ exitCode, signal, limit: exit?.limit?.limit, stderr: this.#stderr.lines });
  }
}

/** Unless the VM says otherwise. */
const BASE_ENVIRONMENT = { LANG: "C.UTF-8", NO_COLOR: "1" };

/** The end of an agent that nobody asked for. */
function exitError(agent: string, exit: AgentExit): AgentOsError<"AGENT_EXITED"> {
  const { exitCode, signal, limit, stderr } = exit;
  const how = signal ?? (exitCode === null ? "its VM is gone" : `exit code ${exitCode}`);
  const reached = limit === undefined ? {} : { limit };
  const last = stderr.findLast((line) => line.trim() !== "");
  const message = `the agent ${agent} is gone: ${how}${last === undefined ? "" : `: ${last}`}`;
  return new AgentOsError("AGENT_EXITED", message, {
    exitCode,
    signal,
    stderr: [...stderr],
    ...reached,
  });
}

function notInstalled(agent: string, install: string): AgentOsError<"AGENT_NOT_INSTALLED"> {
  const message = `the agent ${agent} is not installed in this VM: ${install}`;
  return new AgentOsError("AGENT_NOT_INSTALLED", message, { agent, install });
}
