import { AgentOsError } from "@agentos/protocol";

/** How long a wait may take, and what may end it sooner. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds, 10 000 by default; then `DEADLINE_EXCEEDED`. */
  readonly timeoutMs?: number | undefined;
}

const WAIT_MS = 10_000;

/** Waits for something to become true, looked at again with every `notify`. */
export class Condition {
  readonly #looks = new Set<() => void>();

  notify(): void {
    for (const look of this.#looks) look();
  }

  /** What `probe` gives as soon as it gives something. `what` names the wait in an error. */
  async until<T>(
    probe: () => T | undefined,
    what: () => string,
    options: WaitOptions = {},
  ): Promise<T> {
    const { signal, timeoutMs = WAIT_MS } = options;
    const found = probe();
    if (found !== undefined) return found;
    return await new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", cancelled);
        this.#looks.delete(look);
      };
      const fail = (error: AgentOsError): void => {
        leave();
        reject(error);
      };
      const cancelled = (): void =>
        fail(new AgentOsError("CANCELLED", `no longer waiting ${what()}`, { operation: "wait" }));
      const look = (): void => {
        const value = probe();
        if (value === undefined) return;
        leave();
        resolve(value);
      };
      const timer = setTimeout(() => {
        const message = `waited ${timeoutMs} ms ${what()}`;
        const details = { operation: "wait", deadlineMs: timeoutMs };
        fail(new AgentOsError("DEADLINE_EXCEEDED", message, details));
      }, timeoutMs);
      this.#looks.add(look);
      signal?.addEventListener("abort", cancelled, { once: true });
      if (signal?.aborted === true) cancelled();
    });
  }
}
