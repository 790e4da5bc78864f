import type { NetworkDecision } from "@agentos/protocol";

type Told = Omit<NetworkDecision, "untold">;

const SECOND_MS = 1_000;
/** Decisions of one VM that are told within a second; the others are counted. */
const MAX_PER_SECOND = 100;

/** Tells decisions, but not more than anybody would read: a program of a VM makes as many as it likes. */
export class Decisions {
  #listener: ((decision: NetworkDecision) => void) | undefined;
  #since = 0;
  #told = 0;
  #untold = 0;
  readonly counts = { allowed: 0, refused: 0 };

  listen(listener: (decision: NetworkDecision) => void): void {
    this.#listener = listener;
  }

  tell(decision: Told): void {
    this.counts[decision.decision] += 1;
    const now = performance.now();
    if (now - this.#since >= SECOND_MS) {
      this.#since = now;
      this.#told = 0;
    }
    if (this.#told >= MAX_PER_SECOND) {
      this.#untold += 1;
      return;
    }
    this.#told += 1;
    this.#listener?.({ ...decision, untold: this.#untold });
    this.#untold = 0;
  }
}
