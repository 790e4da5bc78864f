export interface HeartbeatOptions {
  intervalMs: number;
  deadMs: number;
  ping: () => Promise<void>;
  dead: (silentMs: number) => void;
}

/** Pings a quiet peer and declares a silent one dead after `deadMs`. Its timer never keeps the process alive. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | undefined;
  #lastSign = performance.now();
  #dueAt = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#wait(0);
  }

  /** Something came from the peer. */
  alive(): void {
    this.#lastSign = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(silentMs: number): void {
    const { intervalMs, deadMs } = this.#options;
    const waitMs = Math.max(1, Math.min(intervalMs, deadMs - silentMs));
    this.#dueAt = performance.now() + waitMs;
    this.#timer = setTimeout(() => this.#tick(), waitMs);
    this.#timer.unref();
  }

  #tick(): void {
    const now = performance.now();
    // While we were held up (a suspended machine, a blocked loop) nothing could be heard: that is no silence.
    this.#lastSign = Math.min(now, this.#lastSign + Math.max(0, now - this.#dueAt));
    const silentMs = now - this.#lastSign;
    if (silentMs >= this.#options.deadMs) return this.#options.dead(Math.round(silentMs));
    this.#wait(silentMs);
    // A failed ping has its consequence already: the connection is closed.
    if (silentMs >= this.#options.intervalMs / 2) this.#options.ping().catch(() => undefined);
  }
}
