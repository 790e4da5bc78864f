import type { AdoptedProcess, Clock, LimitHit } from "@agentos/core";
import {
  AgentOsError,
  type ProcessExit,
  type ProcessInfo,
  type ProcessSummary,
} from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import {
  HostedProcess,
  type HostedProcessHooks,
  type HostedProcessOptions,
} from "./hosted-process.ts";
import { type HostedTerminal, isTerminal } from "./hosted-terminal.ts";

/** What stays known of a released process, so that its repeated request starts nothing. */
export interface ReleasedProcess {
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  exit: ProcessExit | undefined;
  hasEnded: boolean;
}

/** The processes that were started through AgentOS in one VM. */
export class ProcessTable {
  readonly #clock: Clock;
  readonly #known = new Map<string, HostedProcess>();
  readonly #released = new Map<string, ReleasedProcess>();
  /** Execs that are over, oldest first. */
  #read: { process: HostedProcess; atMs: number }[] = [];
  #cancelReleases: (() => void) | undefined;
  /** The VM is over it: what is still started ends at it too. */
  #limit: LimitHit | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

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

  start(options: HostedProcessOptions): HostedProcess {
    const process = this.#add((hooks) => HostedProcess.start(options, hooks));
    if (this.#limit !== undefined) process.endAt(this.#limit);
    return process;
  }

  /** The VM ends at this limit: every process does. Resolves once each piped one's reader has its end and output. */
  async endAt(limit: LimitHit): Promise<void> {
    this.#limit = limit;
    const running = this.#all().filter(({ isOver }) => !isOver);
    for (const process of running) process.endAt(limit);
    const piped = running.filter(({ output }) => output === "piped");
    await Promise.all(piped.map(({ delivered }) => delivered));
  }

  /** What everything that is started ends at. */
  get endsAt(): LimitHit["limit"] | undefined {
    return this.#limit?.limit;
  }

  /** Whether one runs that was started through AgentOS. */
  get isBusy(): boolean {
    return this.#all().some(({ exit }) => exit === undefined);
  }

  /** What it was over there is more of now. */
  mayRun(limit: LimitHit["limit"]): void {
    if (this.#limit?.limit === limit) this.#limit = undefined;
  }

  /** Those that an adopted VM has. */
  restore(adopted: readonly AdoptedProcess[]): void {
    for (const process of adopted) this.#add((hooks) => HostedProcess.restore(process, hooks));
  }

  /** One that an earlier life started and nobody has asked for: the caller's from now on, and known here no more. */
  claim(processId: string): AdoptedProcess | undefined {
    const found = this.#known.get(processId);
    const adopted = found?.leaseId === undefined ? found?.adopted : undefined;
    if (adopted !== undefined) this.#known.delete(processId);
    return adopted;
  }

  /** Those on a terminal. */
  terminals(): HostedTerminal[] {
    return this.#all().filter(isTerminal);
  }

  /** What the VM says of those whose command nobody here knows. */
  name(infos: readonly ProcessInfo[]): void {
    for (const { processId, command } of infos) {
      const process = processId === undefined ? undefined : this.#known.get(processId);
      if (process?.command === "") process.command = command;
    }
  }

  /** Without the execs that are over: nobody waits for them but a repeated request. */
  list(): ProcessSummary[] {
    const listed = this.#all().filter((process) => !process.isOver);
    return listed.map((process) => process.summary);
  }

  /** Processes of an earlier life whose reader has not come back within its lease's grace: they end as if it had expired. */
  endUnclaimed(): void {
    for (const process of this.#all()) {
      if (process.leaseId === undefined && process.output === "piped") end(process);
    }
  }

  /** The VM is gone. */
  forget(): void {
    this.#cancelReleases?.();
  }

  /** The lease is over: its piped processes lost their reader and end, unless the same holder has another lease. */
  leaseEnded(leaseId: string, successor: string | undefined): void {
    for (const process of this.#all()) {
      if (process.leaseId !== leaseId || process.output !== "piped") continue;
      if (successor !== undefined) {
        process.leaseId = successor;
        continue;
      }
      end(process);
    }
  }

  /** SIGKILL to every process that runs, and to its session. */
  killAll(): void {
    for (const process of this.#all()) process.cancel();
  }

  #all(): HostedProcess[] {
    return [...this.#known.values()];
  }

  #add(make: (hooks: HostedProcessHooks) => HostedProcess): HostedProcess {
    const process: HostedProcess = make({
      onRead: () => this.#releaseLater(process),
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

  /**
   * The VM must know an exec's end until its client does: a sidecar that is killed between the two would leave nobody
   * who does.
   */
  #releaseLater(process: HostedProcess): void {
    this.#read.push({ process, atMs: this.#clock.now() });
    if (this.#read.length > BOUNDS.readProcessesPerVm) this.#read.shift()?.process.release();
    this.#armReleases();
  }

  #armReleases(): void {
    if (this.#read.length === 0) return;
    this.#cancelReleases ??= this.#clock.after(BOUNDS.readProcessMs, () => {
      this.#cancelReleases = undefined;
      const untilMs = this.#clock.now() - BOUNDS.readProcessMs;
      const due = this.#read.filter(({ atMs }) => atMs <= untilMs);
      this.#read = this.#read.slice(due.length);
      for (const { process: ended } of due) ended.release();
      this.#armReleases();
    });
  }

  #forget(process: HostedProcess): void {
    this.#known.delete(process.processId);
    // Not the process itself: its request may be large.
    const { processId, pid, exited, exit } = process;
    const released: ReleasedProcess = { pid, exited, exit, hasEnded: exit !== undefined };
    const note = (last?: ProcessExit): void => {
      released.exit = last;
      released.hasEnded = true;
    };
    exited.then(note, () => note());
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

function end(process: HostedProcess): void {
  process.cancel();
  process.release();
}
