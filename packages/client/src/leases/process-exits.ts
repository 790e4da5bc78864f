import type { ProcessExit } from "@agentos/protocol";

/** Who waits for which process's end. */
export class ProcessExits {
  readonly #listeners = new Map<string, Set<(exit: ProcessExit) => void>>();

  /** Calls back when the process ends; the result stops it. */
  listen(processId: string, listener: (exit: ProcessExit) => void): () => void {
    const listeners = this.#listeners.get(processId) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(processId, listeners);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(processId) === listeners)
        this.#listeners.delete(processId);
    };
  }

  tell(exit: ProcessExit): void {
    for (const listener of Array.from(this.#listeners.get(exit.processId) ?? [])) listener(exit);
  }
}
