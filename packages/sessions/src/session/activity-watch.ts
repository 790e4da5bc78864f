import type { Clock } from "@agentos/core";

export interface ActivityWatchOptions {
  readonly clock: Clock;
  /** Between two signs of life within a step; 0: any. */
  readonly stepIdleMs: number;
  /** Between two signs of life of the whole turn; 0: any. */
  readonly inactivityMs: number;
  /** It was silent for that long. Called once. */
  readonly silent: (what: "step" | "turn", ms: number) => void;
}

/** Notices an agent that has gone silent. Waiting for people, tools and providers is not silence. */
export class ActivityWatch {
  readonly #options: ActivityWatchOptions;
  #lastSign: number;
  #pauses = 0;
  #notBefore = 0;
  #cancel: (() => void) | undefined;
  #isOver = false;

  constructor(options: ActivityWatchOptions) {
    this.#options = options;
    this.#lastSign = options.clock.now();
    this.#arm();
  }

  sign(): void {
    this.#lastSign = this.#options.clock.now();
  }

  /** No silence counts until the result is called. */
  pause(): () => void {
    this.#pauses += 1;
    this.#disarm();
    let isPaused = true;
    return () => {
      if (!isPaused) return;
      isPaused = false;
      this.#pauses -= 1;
      this.sign();
      this.#arm();
    };
  }

  /** Silence until then, a time of the clock, is expected. */
  extendTo(untilMs: number): void {
    this.#notBefore = Math.max(this.#notBefore, untilMs);
  }

  stop(): void {
    this.#isOver = true;
    this.#disarm();
  }

  #arm(): void {
    const next = this.#next();
    if (this.#isOver || this.#pauses > 0 || next === undefined || this.#cancel !== undefined)
      return;
    const { clock } = this.#options;
    this.#cancel = clock.after(Math.max(0, next.dueMs - clock.now()), () => {
      this.#cancel = undefined;
      this.#due();
    });
  }

  /** Signs only move the time: the timer is set anew when it goes off. */
  #due(): void {
    const next = this.#next();
    if (next === undefined) return;
    if (next.dueMs > this.#options.clock.now()) return this.#arm();
    this.#isOver = true;
    this.#options.silent(next.what, next.ms);
  }

  #next(): { what: "step" | "turn"; ms: number; dueMs: number } | undefined {
    const { stepIdleMs, inactivityMs } = this.#options;
    const bounds = [
      { what: "step" as const, ms: stepIdleMs },
      { what: "turn" as const, ms: inactivityMs },
    ].filter(({ ms }) => ms > 0);
    const [first] = bounds.toSorted((a, b) => a.ms - b.ms);
    if (first === undefined) return undefined;
    return { ...first, dueMs: Math.max(this.#lastSign, this.#notBefore) + first.ms };
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
