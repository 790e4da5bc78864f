import type { Clock } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import { SESSION_BOUNDS } from "./session-bounds.ts";

interface Waiter {
  readonly resolve: (came: boolean) => void;
  readonly reject: (reason: unknown) => void;
}

/** Callers that wait for the same thing, each with a time-out of its own. */
export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiter>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** True when it came, false at the time-out. Rejects with the signal's reason, or what `fail` was given. */
  async wait(timeoutMs: number | undefined, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (timeoutMs === 0) return false;
    if (this.#waiting.size >= SESSION_BOUNDS.waitingCallers) throw tooMany(this.#waiting.size);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const waiter = { resolve, reject };
    const abort = (): void => reject(signal.reason);
    const cancel =
      timeoutMs === undefined ? undefined : this.#clock.after(timeoutMs, () => resolve(false));
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.add(waiter);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(waiter);
      signal.removeEventListener("abort", abort);
      cancel?.();
    }
  }

  /** It came, for everyone who waits now. */
  tellAll(): void {
    for (const waiter of this.#take()) waiter.resolve(true);
  }

  /** It came, for whoever waits longest. False: nobody does. */
  tellFirst(): boolean {
    const [first] = this.#waiting;
    if (first === undefined) return false;
    this.#waiting.delete(first);
    first.resolve(true);
    return true;
  }

  fail(reason: unknown): void {
    for (const waiter of this.#take()) waiter.reject(reason);
  }

  #take(): Waiter[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }
}

function tooMany(waiting: number): AgentOsError {
  const capacity = SESSION_BOUNDS.waitingCallers;
  const message = `${capacity} callers wait for this session already`;
  return new AgentOsError("POOL_EXHAUSTED", message, {
    limit: "waitingCallers",
    capacity,
    waiting,
  });
}
