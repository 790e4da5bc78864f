/** Processes of one worker at once. */
const SLOTS = 65_536;

/** What tells a worker's scripts of their end even while they keep their thread busy: one number each, in shared memory. */
export class SignalTable {
  readonly signals = new Int32Array(new SharedArrayBuffer(SLOTS * Int32Array.BYTES_PER_ELEMENT));
  readonly #free: number[] = [];
  #next = 0;

  /** A slot of its own, or undefined where there are too many. */
  take(): number | undefined {
    const slot = this.#free.pop() ?? (this.#next < SLOTS ? this.#next++ : undefined);
    if (slot !== undefined) Atomics.store(this.signals, slot, 0);
    return slot;
  }

  give(slot: number): void {
    this.#free.push(slot);
  }

  /** The first signal stays. */
  set(slot: number, signal: number): void {
    Atomics.compareExchange(this.signals, slot, 0, signal);
  }
}
