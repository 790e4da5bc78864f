import type { HeldLimits } from "./held-limits.ts";

const SECOND_MS = 1_000;

/** What a VM's programs write to whoever reads them: how much, and how quickly. */
export class OutputMeter {
  readonly #limits: HeldLimits;
  #bytes = 0;
  /** What may be read at once: up to a second's worth. Negative: the reader is ahead. */
  #allowance = 0;
  #sinceMs = 0;
  /** All of it has been written. */
  onOver: ((value: number) => void) | undefined;

  constructor(limits: HeldLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isOver(): boolean {
    const most = this.#limits.value("outputBytes");
    return most !== undefined && this.#bytes > most;
  }

  count(bytes: number): void {
    this.#bytes += bytes;
    const most = this.#limits.value("outputBytes");
    this.#limits.note("outputBytes", most, this.#bytes);
    this.#spend(bytes);
    if (most === undefined || this.#bytes <= most) return;
    this.#limits.hit("outputBytes", most);
    this.onOver?.(most);
  }

  /** How long what was read must wait to be acknowledged: until then its program stands still, with a window to fill. */
  get pauseMs(): number {
    const rate = this.#limits.value("outputRate");
    if (rate === undefined || this.#allowance >= 0) return 0;
    this.#refill(rate);
    return Math.max(0, (-this.#allowance / rate) * SECOND_MS);
  }

  #spend(bytes: number): void {
    const rate = this.#limits.value("outputRate");
    if (rate === undefined) return;
    this.#refill(rate);
    this.#allowance -= bytes;
    if (this.#allowance < 0) this.#limits.hit("outputRate", rate);
  }

  #refill(rate: number): void {
    const now = performance.now();
    const passed = this.#sinceMs === 0 ? SECOND_MS : now - this.#sinceMs;
    this.#sinceMs = now;
    this.#allowance = Math.min(rate, this.#allowance + (passed / SECOND_MS) * rate);
  }
}
