import type { Clock } from "@agentos/core";

export interface IdleExitOptions {
  clock: Clock;
  idleMs: number;
  isBusy: () => boolean;
  /** It was idle for that long. Called once. */
  expired: () => void;
}

/** Ends a shared sidecar that nobody uses: asked again at every change. */
export class IdleExit {
  readonly #options: IdleExitOptions;
  #keep = false;
  #cancel: (() => void) | undefined;
  #over = false;

  constructor(options: IdleExitOptions) {
    this.#options = options;
    this.changed();
  }

  get keep(): boolean {
    return this.#keep;
  }

  set keep(on: boolean) {
    this.#keep = on;
    this.changed();
  }

  /** Work came or went. */
  changed(): void {
    if (this.#over) return;
    const { clock, idleMs, isBusy, expired } = this.#options;
    if (this.#keep || isBusy()) {
      this.#cancel?.();
      this.#cancel = undefined;
      return;
    }
    this.#cancel ??= clock.after(idleMs, () => {
      this.#over = true;
      expired();
    });
  }

  stop(): void {
    this.#over = true;
    this.#cancel?.();
  }
}
