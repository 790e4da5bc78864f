import type { Clock } from "@agentos/core";

import type { SessionRecord } from "./session-record.ts";
import { Waiters } from "./waiters.ts";

/** That something woke the session: it is kept until somebody who waits, or asks, takes it. */
export class Wakeup {
  readonly #record: SessionRecord;
  readonly #waiting: Waiters;

  constructor(record: SessionRecord, clock: Clock) {
    this.#record = record;
    this.#waiting = new Waiters(clock);
  }

  /** Something in the background has ended, or somebody spoke. */
  wake(): void {
    this.#record.write({ change: { woken: true } });
    this.tell();
  }

  /** The record says so already: whoever waits is told. */
  tell(): void {
    if (this.#waiting.size === 0) return;
    this.take();
    this.#waiting.tellAll();
  }

  /** Whether something woke it since this was last asked. */
  take(): boolean {
    if (!this.#record.now.woken) return false;
    this.#record.write({ change: { woken: false } });
    return true;
  }

  /** Whether something wakes it within the time. Rejects with the signal's reason, or what `fail` was given. */
  async wait(timeoutMs: number | undefined, signal: AbortSignal): Promise<boolean> {
    return await this.#waiting.wait(timeoutMs, signal);
  }

  fail(reason: unknown): void {
    this.#waiting.fail(reason);
  }
}
