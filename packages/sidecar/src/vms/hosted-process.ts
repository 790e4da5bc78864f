import type {
  AdoptedProcess,
  LimitHit,
  ProcessRequest,
  VmProcess,
  VmProcessExit,
} from "@agentos/core";
import type {
  OutputMode,
  ProcessExit,
  ProcessSummary,
  Signal,
  SignalScope,
  TerminalSize,
} from "@agentos/protocol";

import type { StreamLink } from "../server/stream-link.ts";
import { ProcessReader, type Received } from "./process-reader.ts";

/** Characters of a command line that a listing shows. */
const SHOWN_COMMAND_CHARACTERS = 256;
const NOTHING: Received = { stdout: 0, stderr: 0 };

interface Origin {
  readonly processId: string;
  readonly command: string;
  readonly output: OutputMode;
  /** Starts it, or says where it is. */
  readonly begin: (reader: ProcessReader) => Promise<VmProcess>;
  readonly link: StreamLink | undefined;
  readonly leaseId: string | undefined;
  /** It is an exec's: forgotten by itself some time after it has ended and all its output has been received. */
  readonly endsRead: boolean;
}

export interface HostedProcessHooks {
  /** An exec's has ended and its reader has everything. */
  onRead: () => void;
  onReleased: () => void;
}

export interface HostedProcessOptions {
  start: (request: ProcessRequest, reader: ProcessReader) => Promise<VmProcess>;
  request: ProcessRequest;
  /** Undefined: what it writes is read by other ways. */
  link: StreamLink | undefined;
  /** The lease that it was started under. */
  leaseId: string;
  endsRead: boolean;
}

/** A process that a client started, in this life of the sidecar or an earlier one, until its release. */
export class HostedProcess {
  readonly processId: string;
  readonly output: OutputMode;
  /** Rejects as the start did; then the process never was. */
  readonly started: Promise<VmProcess>;
  /** Rejects with `VM_ENDED` where the VM went first. */
  readonly exited: Promise<ProcessExit>;
  /** Undefined: of an earlier life, and nobody has asked for it in this one. */
  leaseId: string | undefined;
  /** Empty where an earlier life started it and nobody has looked. */
  command: string;
  /** Of one on a terminal: its size. */
  terminal: TerminalSize | undefined;
  /** Undefined: it was started in this life. */
  adopted: AdoptedProcess | undefined;
  /** Whether its holders are told its end. */
  isAnnounced = false;
  readonly #hooks: HostedProcessHooks;
  readonly #reader = new ProcessReader();
  #process: VmProcess | undefined;
  #exit: ProcessExit | undefined;
  readonly #delivered = Promise.withResolvers<void>();
  #endsRead: boolean;
  #cancelled = false;
  /** What it is ended at, where that is not its own doing. */
  #limit: LimitHit | undefined;
  /** It was over when it was found; how is told to whoever reads on. */
  #wasEnded = false;
  #state: "known" | "read" | "released" = "known";

  static start(options: HostedProcessOptions, hooks: HostedProcessHooks): HostedProcess {
    const { request, link, leaseId, endsRead, start } = options;
    const { processId, output, argv } = request;
    const command = argv.join(" ").slice(0, SHOWN_COMMAND_CHARACTERS);
    const begin = (reader: ProcessReader): Promise<VmProcess> => start(request, reader);
    const origin = { processId, command, output, begin, link, leaseId, endsRead };
    const started = new HostedProcess(origin, hooks);
    started.terminal = request.terminal;
    return started;
  }

  /** One that was found in an adopted VM: without a reader, until a repeated request brings one. */
  static restore(adopted: AdoptedProcess, hooks: HostedProcessHooks): HostedProcess {
    const { processId, output, process } = adopted;
    const begin = (reader: ProcessReader): Promise<VmProcess> => {
      adopted.attach(reader);
      // Nobody reads on it, but its end is to be known. Where it can't be told, it stays unknown.
      if (output === "logged") process.resume(NOTHING).catch(() => undefined);
      return Promise.resolve(process);
    };
    const origin = { processId, command: "", output, begin, link: undefined, leaseId: undefined };
    const restored = new HostedProcess({ ...origin, endsRead: false }, hooks);
    restored.terminal = adopted.terminal;
    restored.adopted = adopted;
    restored.#wasEnded = adopted.state === "exited";
    return restored;
  }

  private constructor(origin: Origin, hooks: HostedProcessHooks) {
    this.#hooks = hooks;
    this.processId = origin.processId;
    this.command = origin.command;
    this.output = origin.output;
    this.leaseId = origin.leaseId;
    this.#endsRead = origin.endsRead;
    if (origin.link !== undefined) this.#reader.use(origin.link, NOTHING);
    this.#reader.onAcknowledged = () => this.#noteRead();
    this.#reader.onReleased = () => this.release();
    this.started = this.#begin(origin);
    this.exited = this.#end();
    // Whoever starts a process need not care how it ends.
    this.exited.catch(() => this.#delivered.resolve());
  }

  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Whether it has ended and its reader has everything. */
  get isRead(): boolean {
    return this.#exit !== undefined && isAll(this.#exit, this.#reader.received);
  }

  /** Resolves once it has ended and its reader has everything, or nobody will. */
  get delivered(): Promise<void> {
    return this.#delivered.promise;
  }

  /** Whether it is only kept so that its end can be told again. */
  get isOver(): boolean {
    return this.#state !== "known";
  }

  get summary(): ProcessSummary {
    const { processId, pid, command, output } = this;
    const base = { processId, pid, command, output };
    if (this.#exit === undefined) return { ...base, state: this.#wasEnded ? "exited" : "running" };
    return { ...base, state: "exited", exit: this.#exit };
  }

  /** Its output goes on to another reader, from what that one has. Rejects with `INVALID_ARGUMENT` where that can't be. */
  async readOn(link: StreamLink, received: Received): Promise<void> {
    const process = await this.started;
    this.#reader.use(link, received);
    link.attach(process);
    try {
      await process.resume(received);
    } catch (error) {
      this.#reader.drop(link);
      throw error;
    }
    this.#noteRead();
  }

  /** An exec asks for it: once it has ended and is read, nobody needs it. */
  endWhenRead(): void {
    this.#endsRead = this.output === "piped";
  }

  /** Before its start it waits for that; after its end nothing happens to the process itself. */
  signal(signal: Signal, scope: SignalScope): void {
    if (this.#exit !== undefined && scope === "process") return;
    if (this.#process !== undefined) return this.#process.signal(signal, scope);
    this.started.then(
      (process) => process.signal(signal, scope),
      // What never started needs no signal.
      () => undefined,
    );
  }

  /** Nobody wants it any more: every process of its session gets SIGKILL. */
  cancel(): void {
    if (this.#exit !== undefined) return;
    this.#cancelled = true;
    this.#process?.signal("SIGKILL", "session");
  }

  /** Its VM is at this limit: every process of its session gets SIGKILL, and its end says why. */
  endAt(limit: LimitHit): void {
    if (this.#exit !== undefined) return;
    this.#limit = limit;
    this.#process?.signal("SIGKILL", "session");
  }

  /** Forgets it and its held output. It runs on. */
  release(): void {
    if (this.#state === "released") return;
    this.#state = "released";
    this.#delivered.resolve();
    this.#reader.close();
    this.#process?.close();
    this.#hooks.onReleased();
  }

  async #begin({ begin, link }: Origin): Promise<VmProcess> {
    try {
      const process = await begin(this.#reader);
      this.#process = process;
      if (this.#cancelled || this.#limit !== undefined) process.signal("SIGKILL", "session");
      if (this.#state === "released") process.close();
      else link?.attach(process);
      return process;
    } catch (error) {
      this.release();
      throw error;
    }
  }

  async #end(): Promise<ProcessExit> {
    const process = await this.started;
    const exit = await process.exited;
    this.#exit = this.#exitOf(exit);
    this.#noteRead();
    return this.#exit;
  }

  #noteRead(): void {
    if (!this.isRead) return;
    this.#delivered.resolve();
    if (this.#state !== "known" || !this.#endsRead) return;
    this.#state = "read";
    this.#hooks.onRead();
  }

  #exitOf({ timedOut, limit: own, ...exit }: VmProcessExit): ProcessExit {
    const { processId } = this;
    const wasKilled = exit.signal === "SIGKILL";
    if (timedOut) return { processId, ...exit, outcome: "timed_out" };
    if (this.#cancelled && wasKilled) return { processId, ...exit, outcome: "cancelled" };
    const limit = own ?? (wasKilled ? this.#limit : undefined);
    if (limit === undefined)
      return { processId, ...exit, outcome: exit.signal === null ? "exited" : "signaled" };
    const { limit: name, value } = limit;
    return { processId, ...exit, outcome: "limited", limit: { name, value } };
  }
}

/** Whether nothing of the output is to come for a reader that has `received`. */
export function isAll(exit: ProcessExit, { stdout, stderr }: Received): boolean {
  const isOpen = exit.stdoutOpen || exit.stderrOpen;
  return !isOpen && stdout >= exit.stdoutBytes && stderr >= exit.stderrBytes;
}
