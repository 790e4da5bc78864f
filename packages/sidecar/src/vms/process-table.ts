import { AgentOsError, type ProcessExit, type ProcessSummary } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { HostedProcess, type HostedProcessOptions } from "./hosted-process.ts";

/** What stays known of a released process, so that its repeated request starts nothing. */
export interface ReleasedProcess {
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  hasEnded: boolean;
}

/** The processes that were started through AgentOS in one VM. */
export class ProcessTable {
  readonly #known = new Map<string, HostedProcess>();
  readonly #released = new Map<string, ReleasedProcess>();

  find(processId: string): HostedProcess | undefined {
    return this.#known.get(processId);
  }

  /** One of the last released ones. */
  findReleased(processId: string): ReleasedProcess | undefined {
    return this.#released.get(processId);
  }

  /** Throws `NOT_FOUND`. */
  get(processId: string): HostedProcess {
    const process = this.#known.get(processId);
    if (process !== undefined) return process;
    throw new AgentOsError("NOT_FOUND", `no process ${processId}: never started, or released`, {
      kind: "process",
      id: processId,
    });
  }

  /** Throws `POOL_EXHAUSTED` where the VM knows too many and none can be forgotten. */
  assertRoom(): void {
    if (this.#known.size < BOUNDS.processesPerVm) return;
    const forgettable = this.#all().find((process) => process.isRead);
    if (forgettable !== undefined) return forgettable.release();
    const capacity = BOUNDS.processesPerVm;
    throw new AgentOsError(
      "POOL_EXHAUSTED",
      `the VM has ${capacity} processes that run or are not released`,
      {
        limit: "processesPerVm",
        capacity,
        waiting: 0,
      },
    );
  }

  start(options: Omit<HostedProcessOptions, "onReleased">): HostedProcess {
    const process: HostedProcess = new HostedProcess({
      ...options,
      onReleased: () => this.#forget(process),
    });
    this.#known.set(process.processId, process);
    process.started.catch(() => this.#released.delete(process.processId));
    void process.exited.then(
      () => this.#limitEndedLogs(),
      // A process that never was, or went with its VM, leaves no log behind.
      () => undefined,
    );
    return process;
  }

  list(): ProcessSummary[] {
    return this.#all().map((process) => process.summary);
  }

  /** The lease is over: its piped processes lost their reader and end, unless the same holder has another lease. */
  leaseEnded(leaseId: string, successor: string | undefined): void {
    for (const process of this.#all()) {
      if (process.leaseId !== leaseId || process.output !== "piped") continue;
      if (successor !== undefined) {
        process.leaseId = successor;
        continue;
      }
      process.cancel();
      process.release();
    }
  }

  /** SIGKILL to every process that runs, and to its session. */
  killAll(): void {
    for (const process of this.#all()) process.cancel();
  }

  #all(): HostedProcess[] {
    return [...this.#known.values()];
  }

  #forget(process: HostedProcess): void {
    this.#known.delete(process.processId);
    // Not the process itself: its request may be large.
    const { processId, pid, exited } = process;
    const released: ReleasedProcess = { pid, exited, hasEnded: false };
    const end = (): void => void (released.hasEnded = true);
    exited.then(end, end);
    this.#released.set(processId, released);
    const [oldest] = this.#released.keys();
    if (this.#released.size > BOUNDS.releasedProcessesPerVm && oldest !== undefined)
      this.#released.delete(oldest);
  }

  #limitEndedLogs(): void {
    const ended = this.#all().filter(
      ({ output, exit }) => output === "logged" && exit !== undefined,
    );
    for (const process of ended.slice(0, Math.max(0, ended.length - BOUNDS.endedLogsPerVm)))
      process.release();
  }
}
