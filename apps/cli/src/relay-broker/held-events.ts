/** Tells events in order, but those that are about an open request only after its answer. */
export class HeldEvents {
  readonly #holds = new Map<string, number>();
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();

  /** Events about `key` wait until the result is called. */
  hold(key: string): () => void {
    this.#holds.set(key, (this.#holds.get(key) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#holds.get(key) ?? 1) - 1;
      if (left > 0) {
        this.#holds.set(key, left);
        return;
      }
      this.#holds.delete(key);
      this.#waiting.get(key)?.resolve();
      this.#waiting.delete(key);
    };
  }

  /** Resolves once nothing holds any of the keys. */
  async free(...keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      while (this.#holds.has(key)) {
        const waiting = this.#waiting.get(key) ?? Promise.withResolvers<void>();
        this.#waiting.set(key, waiting);
        // oxlint-disable-next-line no-await-in-loop -- It may be held again meanwhile.
        await waiting.promise;
      }
    }
  }
}

/** What events about an agent are held by. */
export function nameKey(name: string): string {
  return `agent:${name.toLowerCase()}`;
}
