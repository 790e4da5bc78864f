import { setImmediate } from "node:timers/promises";

/** How long system calls may follow one another before others get their turn. */
const TURN_MS = 4;

/**
 * Lets the program's other work in between. Small files are read and written by synchronous calls: each takes
 * microseconds, and asking the thread pool takes ten times as long.
 */
export class Pace {
  #since = performance.now();

  /** Whether others are to have their turn now. */
  get isDue(): boolean {
    return performance.now() - this.#since >= TURN_MS;
  }

  /** Resolves after a turn of the event loop. */
  async breathe(): Promise<void> {
    await setImmediate();
    this.#since = performance.now();
  }
}
