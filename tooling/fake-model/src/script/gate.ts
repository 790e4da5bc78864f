import { Condition, type WaitOptions } from "../condition.ts";

/** Holds a reply until a test lets it go on. Closed at first. */
export class Gate {
  readonly #arrived = new Condition();
  #open = false;
  #passes = 0;
  #waiting: (() => void)[] = [];

  /** How many replies wait here now. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Lets everything through, from now on. */
  open(): void {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Lets `count` (1) through: those that wait, then those that come. */
  pass(count = 1): void {
    for (let left = count; left > 0; left -= 1) {
      const go = this.#waiting.shift();
      if (go === undefined) this.#passes += 1;
      else go();
    }
  }

  /** Resolves when a reply waits here. */
  async reached(options: WaitOptions = {}): Promise<void> {
    await this.#arrived.until(
      () => (this.waiting > 0 ? true : undefined),
      () => "for a reply to come to the gate",
      options,
    );
  }

  /** Waits here; resolves also when `signal` aborts, which is the caller's to look at. */
  async through(signal: AbortSignal): Promise<void> {
    if (this.#open || signal.aborted) return;
    if (this.#passes > 0) {
      this.#passes -= 1;
      return;
    }
    await new Promise<void>((resolve) => {
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== go);
        resolve();
      };
      const go = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(go);
      this.#arrived.notify();
    });
  }
}
