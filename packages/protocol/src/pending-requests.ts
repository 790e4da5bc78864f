import { AgentOsError } from "./agent-os-error.ts";

/** The longest that a timer can wait; a longer deadline is as good as none. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

interface Pending {
  resolve(result: unknown): void;
  reject(error: AgentOsError): void;
}

export interface AddOptions {
  signal: AbortSignal | undefined;
  deadlineMs: number | null;
  /** Tells the other side that nobody waits for `id` any more. */
  abandon: (id: number) => void;
}

/** The requests that wait for an answer: each ends by it, its deadline, its signal or the connection's end. */
export class PendingRequests {
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  get size(): number {
    return this.#pending.size;
  }

  /** Throws `CANCELLED`, and takes no id, where the signal is aborted already. */
  add(operation: string, options: AddOptions): { id: number; answer: Promise<unknown> } {
    const { signal } = options;
    if (signal?.aborted === true) throw cancelled(operation, signal.reason);
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const settle = (): void => {
      this.#pending.delete(id);
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    };
    const giveUp = (error: AgentOsError): void => {
      settle();
      reject(error);
      options.abandon(id);
    };
    const cancel = (): void => giveUp(cancelled(operation, signal?.reason));
    const timer = startTimer(options.deadlineMs, (ms) => giveUp(late(operation, ms)));
    this.#pending.set(id, {
      resolve: (result) => {
        settle();
        resolve(result);
      },
      reject: (error) => {
        settle();
        reject(error);
      },
    });
    signal?.addEventListener("abort", cancel, { once: true });
    return { id, answer: promise };
  }

  /** An answer to a request that nobody waits for is dropped. */
  resolve(id: number, result: unknown): void {
    this.#pending.get(id)?.resolve(result);
  }

  reject(id: number, error: AgentOsError): void {
    this.#pending.get(id)?.reject(error);
  }

  rejectAll(reason: AgentOsError): void {
    for (const pending of this.#pending.values()) pending.reject(reason);
  }
}

function startTimer(
  deadlineMs: number | null,
  passed: (deadlineMs: number) => void,
): NodeJS.Timeout | undefined {
  if (deadlineMs === null || deadlineMs > LONGEST_TIMER_MS) return undefined;
  return setTimeout(() => passed(deadlineMs), deadlineMs);
}

function cancelled(operation: string, cause: unknown): AgentOsError {
  return new AgentOsError("CANCELLED", `${operation} was cancelled`, { operation }, { cause });
}

function late(operation: string, deadlineMs: number): AgentOsError {
  return new AgentOsError("DEADLINE_EXCEEDED", `${operation}: no answer within ${deadlineMs} ms`, {
    operation,
    deadlineMs,
  });
}
