import type { Clock, StoredTurn } from "@agentos/core";
import { AgentOsError, DEFAULTS, type TurnResult } from "@agentos/protocol";

import { msUntil } from "./deadline.ts";

export interface TurnQueueOptions {
  readonly clock: Clock;
  /** Least time between the starts of two turns. */
  readonly spacingMs: number;
  readonly queued: readonly StoredTurn[];
  /** A turn that was not to start yet may start now. */
  readonly due: () => void;
}

/** Turns that wait, first come, first served, and when the next may start. */
export class TurnQueue {
  readonly #options: TurnQueueOptions;
  readonly #turns: StoredTurn[];
  #notBeforeMs = 0;
  #cancel: (() => void) | undefined;

  constructor(options: TurnQueueOptions) {
    this.#options = options;
    this.#turns = [...options.queued];
  }

  get size(): number {
    return this.#turns.length;
  }

  get first(): StoredTurn | undefined {
    return this.#turns[0];
  }

  /** Throws `POOL_EXHAUSTED`. */
  assertRoom(): void {
    const capacity = DEFAULTS.queuedTurns;
    if (this.#turns.length < capacity) return;
    const details = { limit: "queuedTurns", capacity, waiting: this.#turns.length };
    const message = `${capacity} turns of this session wait already`;
    throw new AgentOsError("POOL_EXHAUSTED", message, details);
  }

  add(turn: StoredTurn): void {
    this.#turns.push(turn);
  }

  /** The turn that is to start now. Undefined: none, or not yet; then `due` is called. */
  next(): StoredTurn | undefined {
    const { clock, spacingMs, due } = this.#options;
    const now = clock.now();
    if (this.#turns.length > 0 && now < this.#notBeforeMs) {
      this.#cancel ??= clock.after(this.#notBeforeMs - now, () => {
        this.#cancel = undefined;
        due();
      });
      return undefined;
    }
    const turn = this.#turns.shift();
    if (turn !== undefined && spacingMs > 0) this.#notBeforeMs = now + spacingMs;
    return turn;
  }

  /** A turn has ended: the next one waits for a rate limit's reset. */
  ended({ error }: TurnResult): void {
    if (error?.code !== "RATE_LIMITED") return;
    const leftMs = msUntil(error.details["resetAt"]);
    if (leftMs > 0)
      this.#notBeforeMs = Math.max(this.#notBeforeMs, this.#options.clock.now() + leftMs);
  }

  /** Takes one out. */
  take(turnId: string): StoredTurn | undefined {
    const at = this.#turns.findIndex((turn) => turn.turnId === turnId);
    return at === -1 ? undefined : this.#turns.splice(at, 1)[0];
  }

  /** Takes all out. */
  clear(): StoredTurn[] {
    this.#cancel?.();
    this.#cancel = undefined;
    return this.#turns.splice(0);
  }
}
