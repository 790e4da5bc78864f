import { setImmediate as nextTurn } from "node:timers/promises";

import { monotonic } from "./monotonic.ts";

/** How long a worker may go on before the others in it have a turn. */
const TURN_MS = 4;

/** Gives the other VMs of a worker their turn: whoever works for a script asks here now and then. */
export class Pace {
  #since = monotonic();

  async breathe(): Promise<void> {
    if (monotonic() - this.#since < TURN_MS) return;
    await nextTurn();
    this.#since = monotonic();
  }
}
