import type { Clock } from "@agentos/core";

/** Calls back once nothing has moved for so long. */
export class StallWatch implements Disposable {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #stalled: () => void;
  #lastMs: number;
  #cancel: () => void;

  constructor(clock: Clock, ms: number, stalled: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#stalled = stalled;
    this.#lastMs = clock.now();
    this.#cancel = clock.after(ms, () => this.#look());
  }

  /** Something has moved. */
  moved(): void {
    this.#lastMs = this.#clock.now();
  }

  stop(): void {
    this.#cancel();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /** One timer for any number of pieces. */
  #look(): void {
    const leftMs = this.#lastMs + this.#ms - this.#clock.now();
    if (leftMs <= 0) this.#stalled();
    else this.#cancel = this.#clock.after(leftMs, () => this.#look());
  }
}
