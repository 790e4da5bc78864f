import { AgentOsError, isAgentOsError } from "@agentos/protocol";
import type PQueue from "p-queue";

import { BOUNDS } from "../bounds.ts";
import type { Capacity } from "../options.ts";
import { type FairOptions, FairQueue } from "./fair-queue.ts";

type RunFunction = () => Promise<unknown>;
type Lanes = { slots: Lane; starts: Lane };
type Lane = PQueue<FairQueue<RunFunction>, FairOptions>;

/** Who asks for the slots of VMs that are there already. */
const SETTLED = "settled";

/** Lets VMs in: a slot for a VM's whole life, and a turn to start it. Connections are served in turn. */
export class Admission {
  readonly #capacity: Capacity;
  #lanes: Promise<Lanes> | undefined;
  /** Creates that asked for a slot and don't have one, those behind the lazy import included. */
  #waiting = 0;
  #slotsTaken = 0;
  /** VMs that are there without having asked. */
  readonly #settled: Promise<unknown>[] = [];

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Waits for a slot and a turn, runs `start`, and keeps the slot until what `start` gave has ended.
   * Rejects with `POOL_EXHAUSTED` at once where the line is full, and after `waitingCreateMs` in line.
   */
  async run<T>(
    asker: string,
    signal: AbortSignal,
    start: () => Promise<{ value: T; ended: Promise<unknown> }>,
  ): Promise<T> {
    this.#refuseWhereFull();
    this.#waiting += 1;
    const { slots, starts } = await (this.#lanes ??= this.#open());
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const inLine = this.#lineSignal(signal);
    const occupy = async (): Promise<void> => {
      inLine.leave();
      const started = await this.#turn(starts, asker, start);
      resolve(started.value);
      await started.ended;
    };
    slots
      .add(() => this.#counted(occupy), { asker, signal: inLine.signal })
      .catch((error: unknown) => reject(error))
      .finally(() => inLine.leave());
    return await promise;
  }

  /** A VM of an earlier life has its slot, whatever the bound is now, until `ended`. */
  settle(ended: Promise<unknown>): void {
    if (this.#lanes === undefined) this.#settled.push(ended);
    else void this.#lanes.then(({ slots }) => slots.add(() => ended, { asker: SETTLED }));
    this.#slotsTaken += 1;
    void ended.finally(() => (this.#slotsTaken -= 1));
  }

  async #counted(occupy: () => Promise<void>): Promise<void> {
    this.#slotsTaken += 1;
    try {
      await occupy();
    } finally {
      this.#slotsTaken -= 1;
    }
  }

  async #turn<T>(starts: Lane, asker: string, start: () => Promise<T>): Promise<T> {
    return await starts.add(start, { asker });
  }

  #refuseWhereFull(): void {
    const { maxVms, waitingCreates } = this.#capacity;
    const free = Math.max(0, maxVms - this.#slotsTaken);
    if (this.#waiting >= free + waitingCreates)
      throw exhausted(this.#capacity, this.#waiting, "and the line is full");
  }

  /** Aborts with the caller's signal or when the wait in line has lasted too long; not after `leave`. */
  #lineSignal(signal: AbortSignal): { signal: AbortSignal; leave: () => void } {
    const controller = new AbortController();
    const cancel = (): void => controller.abort(cancelled(signal.reason));
    const timer = setTimeout(() => {
      const { waitingCreateMs } = this.#capacity;
      controller.abort(
        exhausted(this.#capacity, this.#waiting, `and none was free within ${waitingCreateMs} ms`),
      );
    }, this.#capacity.waitingCreateMs);
    let inLine = true;
    const leave = (): void => {
      if (!inLine) return;
      inLine = false;
      this.#waiting -= 1;
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
    };
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
    return { signal: controller.signal, leave };
  }

  async #open(): Promise<Lanes> {
    // Loaded by the first create: ready need not wait for it.
    const { default: Queue } = await import("p-queue");
    const lane = (concurrency: number): Lane =>
      new Queue<FairQueue<RunFunction>, FairOptions>({
        concurrency,
        queueClass: FairQueue<RunFunction>,
      });
    const slots = lane(this.#capacity.maxVms);
    for (const ended of this.#settled.splice(0)) void slots.add(() => ended, { asker: SETTLED });
    return { slots, starts: lane(BOUNDS.concurrentStarts) };
  }
}

function exhausted(capacity: Capacity, waiting: number, why: string): AgentOsError {
  const message = `the sidecar hosts ${capacity.maxVms} VMs at most, ${why} (${waiting} waiting)`;
  return new AgentOsError("POOL_EXHAUSTED", message, {
    limit: "maxVms",
    capacity: capacity.maxVms,
    waiting,
  });
}

function cancelled(reason: unknown): AgentOsError {
  if (isAgentOsError(reason)) return reason;
  return new AgentOsError(
    "CANCELLED",
    "vm.create was cancelled",
    { operation: "vm.create" },
    { cause: reason },
  );
}
