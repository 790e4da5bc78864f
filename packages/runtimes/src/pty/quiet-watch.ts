/** Notices that a terminal has been quiet for a while. */
export class QuietWatch {
  #lastWrite = performance.now();

  /** Something was written. */
  wrote(): void {
    this.#lastWrite = performance.now();
  }

  /** For how long nothing was written, in milliseconds. */
  get quietMs(): number {
    return performance.now() - this.#lastWrite;
  }

  /**
   * Resolves once nothing was written for `quietMs` and `isMet` says so. Rejects with the signal's reason.
   * `isMet` is asked once for each silence, and again where it said no.
   */
  async until(
    quietMs: number,
    { signal, isMet = () => true }: { signal: AbortSignal; isMet?: () => boolean },
  ): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const leftMs = quietMs - this.quietMs;
      if (leftMs <= 0 && isMet()) return;
      // oxlint-disable-next-line no-await-in-loop -- One look after the other.
      await pause(leftMs <= 0 ? quietMs : leftMs, signal);
    }
  }
}

/** Ends early at the abort; who waits looks at the signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(1, ms));
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
