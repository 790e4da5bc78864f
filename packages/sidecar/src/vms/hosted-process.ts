import type { ProcessRequest, VmHandle, VmProcess, VmProcessExit } from "@agentos/core";
import type {
  OutputMode,
  ProcessExit,
  ProcessSummary,
  Signal,
  SignalScope,
} from "@agentos/protocol";

import type { StreamLink } from "../server/stream-link.ts";

/** Characters of a command line that a listing shows. */
const SHOWN_COMMAND_CHARACTERS = 256;

export interface HostedProcessOptions {
  handle: VmHandle;
  request: ProcessRequest;
  link: StreamLink;
  /** The lease that it was started under. */
  leaseId: string;
  /** Forgotten by itself once it has ended and all its output has been received. */
  releaseWhenRead: boolean;
  onReleased: () => void;
}

/** A process that a client started, from its request to its release. */
export class HostedProcess {
  readonly processId: string;
  readonly command: string;
  readonly output: OutputMode;
  /** Rejects as the start did; then the process never was. */
  readonly started: Promise<VmProcess>;
  /** Rejects with `VM_ENDED` where the VM went first. */
  readonly exited: Promise<ProcessExit>;
  leaseId: string;
  readonly #options: HostedProcessOptions;
  #process: VmProcess | undefined;
  #exit: ProcessExit | undefined;
  #cancelled = false;
  #released = false;

  constructor(options: HostedProcessOptions) {
    this.#options = options;
    const { request, handle, link } = options;
    this.processId = request.processId;
    this.command = request.argv.join(" ").slice(0, SHOWN_COMMAND_CHARACTERS);
    this.output = request.output;
    this.leaseId = options.leaseId;
    link.onAcknowledged = () => this.#releaseWhereRead();
    this.started = this.#start(handle, request);
    this.exited = this.#end();
    // Whoever starts a process need not care how it ends.
    this.exited.catch(() => undefined);
  }

  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Whether it has ended and its reader has everything. */
  get isRead(): boolean {
    const exit = this.#exit;
    if (exit === undefined) return false;
    const { stdout, stderr } = this.#options.link.received;
    const isOpen = exit.stdoutOpen || exit.stderrOpen;
    return !isOpen && stdout >= exit.stdoutBytes && stderr >= exit.stderrBytes;
  }

  get summary(): ProcessSummary {
    const { processId, pid, command, output } = this;
    const base = { processId, pid, command, output };
    if (this.#exit === undefined) return { ...base, state: "running" };
    return { ...base, state: "exited", exit: this.#exit };
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

  /** Forgets it and its held output. It runs on. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#options.link.close();
    this.#options.onReleased();
  }

  async #start(handle: VmHandle, request: ProcessRequest): Promise<VmProcess> {
    try {
      const process = await handle.startProcess(request, this.#options.link);
      this.#process = process;
      if (this.#cancelled) process.signal("SIGKILL", "session");
      this.#options.link.attach(process);
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
    this.#releaseWhereRead();
    return this.#exit;
  }

  #releaseWhereRead(): void {
    if (this.#options.releaseWhenRead && this.isRead) this.release();
  }

  #exitOf({ timedOut, ...exit }: VmProcessExit): ProcessExit {
    const wasKilled = exit.signal === "SIGKILL";
    const own = exit.signal === null ? "exited" : "signaled";
    const forced = this.#cancelled && wasKilled ? "cancelled" : own;
    return { processId: this.processId, ...exit, outcome: timedOut ? "timed_out" : forced };
  }
}
