import { setImmediate as endOfRound } from "node:timers/promises";

/** As long as sessions work in one round of the event loop; whoever else waits is served after it. */
const ROUND_MS = 0.5;

/**
 * Sessions whose models speak at the same time would keep the event loop until all of it was read. Here they take
 * turns: so much in one round of the loop, the rest in the next ones, in the order of their coming.
 */
export class FairShare {
  #sinceMs: number | undefined;

  /** Resolves when there is time for one more piece of work, or soon after the abort: what ends waits for nobody. */
  async turn(signal?: AbortSignal): Promise<void> {
    do {
      // oxlint-disable-next-line no-await-in-loop -- A round each.
      await endOfRound();
      if (signal?.aborted === true) return;
    } while (this.#isUsedUp());
  }

  #isUsedUp(): boolean {
    const now = performance.now();
    if (this.#sinceMs === undefined) {
      this.#sinceMs = now;
      // In the next round, before all that has to wait for it.
      setImmediate(() => (this.#sinceMs = undefined));
    }
    return now - this.#sinceMs >= ROUND_MS;
  }
}
