const MAX_TIMER_MS = 2 ** 31 - 1;

/** Counts a VM's time down, from its first start, through every sidecar that has it. */
export class WallTime {
  #timer: NodeJS.Timeout | undefined;

  /** `wallMs` null: no limit. `onOver` is called once with the limit. */
  constructor(wallMs: number | null, startedAt: number, onOver: (wallMs: number) => void) {
    if (wallMs === null) return;
    // Never more than the limit, whatever was done to the clock meanwhile.
    const left = Math.min(wallMs, startedAt + wallMs - Date.now());
    this.#wait(Math.max(0, left), () => onOver(wallMs));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number, onOver: () => void): void {
    const turn = Math.min(ms, MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      if (ms > turn) this.#wait(ms - turn, onOver);
      else onOver();
    }, turn);
    // A VM's time limit is no reason for the sidecar to stay.
    this.#timer.unref();
  }
}
