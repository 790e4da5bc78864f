import type { Clock } from "@agentos/core";

/** Counts the time that a turn runs; waiting for people does not count. */
export class WallTime {
  readonly #clock: Clock;
  readonly #limitMs: number | undefined;
  readonly #over: () => void;
  #countedMs: number;
  #since: number | undefined;
  #pauses = 0;
  #cancel: (() => void) | undefined;

  /** `over` is called once, when the count reaches the limit. */
  constructor(clock: Clock, countedMs: number, limitMs: number | undefined, over: () => void) {
    this.#clock = clock;
    this.#countedMs = countedMs;
    this.#limitMs = limitMs;
    this.#over = over;
    this.#go();
  }

  get ms(): number {
    const running = this.#since === undefined ? 0 : this.#clock.now() - this.#since;
    return this.#countedMs + running;
  }

  /** Time does not count until the result is called. */
  pause(): () => void {
    this.#pauses += 1;
    this.stop();
    let isPaused = true;
    return () => {
      if (!isPaused) return;
      isPaused = false;
      this.#pauses -= 1;
      if (this.#pauses === 0) this.#go();
    };
  }

  stop(): void {
    this.#countedMs = this.ms;
    this.#since = undefined;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #go(): void {
    this.#since = this.#clock.now();
    if (this.#limitMs === undefined) return;
    this.#cancel = this.#clock.after(Math.max(0, this.#limitMs - this.#countedMs), this.#over);
  }
}
