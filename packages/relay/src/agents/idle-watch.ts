import type { Clock } from "@agentos/core";
import { DEFAULTS } from "@agentos/protocol";

export interface IdleWatchOptions {
  readonly clock: Clock;
  /** Default `DEFAULTS.agentIdleMs`; 0: never. */
  readonly idleMs: number | undefined;
  readonly isBusy: () => boolean;
  /** Once for each silence. */
  readonly idle: (idleMs: number) => void;
}

/** Notices when an agent has nothing to do and says nothing. */
export class IdleWatch {
  readonly #options: IdleWatchOptions;
  readonly #idleMs: number;
  #lastMs: number;
  #cancel: (() => void) | undefined;
  #isTold = false;
  #isOver = false;

  constructor(options: IdleWatchOptions) {
    this.#options = options;
    this.#idleMs = options.idleMs ?? DEFAULTS.agentIdleMs;
    this.#lastMs = options.clock.now();
  }

  /** Whether it was told, and nothing was seen since. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** A sign of life. */
  sign(): void {
    this.#lastMs = this.#options.clock.now();
    this.#isTold = false;
    this.#arm(this.#idleMs);
  }

  stop(): void {
    this.#isOver = true;
    this.#cancel?.();
  }

  #arm(ms: number): void {
    if (this.#isOver || this.#idleMs === 0 || this.#cancel !== undefined) return;
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#cancel = undefined;
      this.#look();
    });
  }

  #look(): void {
    if (this.#isTold) return;
    const { clock, isBusy, idle } = this.#options;
    const silentMs = clock.now() - this.#lastMs;
    if (silentMs < this.#idleMs) return this.#arm(this.#idleMs - silentMs);
    // Work in silence is no idleness.
    if (isBusy()) return this.#arm(this.#idleMs);
    this.#isTold = true;
    idle(silentMs);
  }
}
