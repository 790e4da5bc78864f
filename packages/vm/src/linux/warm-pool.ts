import type { VmLaunch } from "./vm-launch.ts";

/** After so many failures in a row it waits for the next hand-off before it tries again. */
const MAX_FAILURES = 5;

export interface WarmPoolOptions {
  /** VMs to keep; 0: none. */
  size: number;
  /** From a hand-off to the next start. */
  refillMs: number;
  /** Starts one, up to where it waits for its configuration. */
  prepare: (signal: AbortSignal) => Promise<VmLaunch>;
  /** While creates are under way in numbers, starting more would only delay them. */
  isBusy: () => boolean;
}

/** open -> closed. */
type PoolState = "open" | "closed";

/** VMs that have had CREATE but no CONFIG. Idle, it has no timer and asks nothing. */
export class WarmPool implements AsyncDisposable {
  readonly #options: WarmPoolOptions;
  readonly #waiting = new Set<VmLaunch>();
  readonly #closing = new AbortController();
  #state: PoolState = "open";
  #timer: NodeJS.Timeout | undefined;
  #filling: Promise<void> | undefined;
  #failures = 0;

  constructor(options: WarmPoolOptions) {
    this.#options = options;
  }

  /** VMs that wait now. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Fills it at once. Resolves, never rejects, when that is done or can't be. */
  async fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined;
    });
    await this.#filling;
  }

  /** One that waits, or undefined. Whoever takes it owns it. */
  take(): VmLaunch | undefined {
    this.#failures = 0;
    this.#refillLater();
    for (const launch of this.#waiting) {
      if (!launch.isUsable) continue;
      this.#waiting.delete(launch);
      return launch;
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = "closed";
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#filling;
    await Promise.allSettled([...this.#waiting].map((launch) => launch.discard()));
    this.#waiting.clear();
  }

  #refillLater(): void {
    if (this.#state === "closed" || this.#timer !== undefined || this.#options.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#options.isBusy()) this.#refillLater();
      else void this.fill();
    }, this.#options.refillMs);
    // A pool is no reason for the sidecar to stay.
    this.#timer.unref();
  }

  async #fill(): Promise<void> {
    const { size, prepare } = this.#options;
    while (this.#waiting.size < size && this.#failures < MAX_FAILURES) {
      if (this.#closing.signal.aborted) return;
      try {
        // One after the other: a burst of them would delay the VM that was handed out just now.
        // oxlint-disable-next-line no-await-in-loop
        this.#keep(await prepare(this.#closing.signal));
      } catch {
        // Whatever it is, a create that needs no pool meets it too and tells it to its caller.
        this.#failures += 1;
      }
    }
  }

  #keep(launch: VmLaunch): void {
    this.#waiting.add(launch);
    void launch.spoiled.then(() => this.#replace(launch));
  }

  #replace(launch: VmLaunch): void {
    // Handed out: it is not the pool's any more.
    if (!this.#waiting.delete(launch) || this.#state === "closed") return;
    this.#failures += 1;
    // Nobody waits for it, and whatever is left of it ends without a link.
    void launch.discard().catch(() => {});
    this.#refillLater();
  }
}
