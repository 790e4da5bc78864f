import type { ClientCallbacks, Clock } from "@agentos/core";
import {
  AgentOsError,
  type CallbackParams,
  type CallbackResult,
  isAgentOsError,
  type RequestOptions,
} from "@agentos/protocol";

/** A connection that functions may be asked of. */
export interface Asker {
  readonly isClosed: boolean;
  ask(params: CallbackParams, options: RequestOptions): Promise<CallbackResult>;
}

export interface BoundCallbacksOptions {
  readonly clock: Clock;
  /** The session that a subagent's is below: its functions are that one's where it has none. */
  readonly parentOf: (user: string, sessionId: string) => string | undefined;
}

/** Which connection runs which function of which session: the last one that said so. */
export class BoundCallbacks {
  readonly #options: BoundCallbacksOptions;
  /** By user and session, then by name. */
  readonly #bySession = new Map<string, Map<string, Asker>>();
  /** Calls that wait for a connection. */
  readonly #waiting = new Set<() => void>();

  constructor(options: BoundCallbacksOptions) {
    this.#options = options;
  }

  bind(user: string, sessionId: string, names: readonly string[], asker: Asker): void {
    const key = keyOf(user, sessionId);
    const bound = this.#bySession.get(key) ?? new Map<string, Asker>();
    for (const name of names) bound.set(name, asker);
    this.#bySession.set(key, bound);
    for (const look of this.#waiting) look();
  }

  /** Its connection is lost: what it ran waits for another one. */
  leave(asker: Asker): void {
    for (const [key, bound] of this.#bySession) {
      for (const [name, known] of bound) if (known === asker) bound.delete(name);
      if (bound.size === 0) this.#bySession.delete(key);
    }
  }

  /** One user's functions. */
  of(user: string): ClientCallbacks {
    return { call: (params, options) => this.#call(user, params, options) };
  }

  async #call(
    user: string,
    params: CallbackParams,
    { deadlineMs, signal }: { deadlineMs: number; signal: AbortSignal },
  ): Promise<CallbackResult> {
    const { clock } = this.#options;
    const endMs = clock.now() + deadlineMs;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- Another connection is only asked where the one before was lost.
      const asker = await this.#asker(user, params, { deadlineMs, endMs, signal });
      const leftMs = Math.max(1, Math.ceil(endMs - clock.now()));
      try {
        // oxlint-disable-next-line no-await-in-loop -- As above.
        return checked(params, await asker.ask(params, { deadlineMs: leftMs, signal }));
      } catch (error) {
        // The function may have run: by the callId its client knows.
        if (isAgentOsError(error, "CONNECTION_LOST") && asker.isClosed) {
          this.leave(asker);
          continue;
        }
        throw failure(params, error);
      }
    }
  }

  async #asker(
    user: string,
    params: CallbackParams,
    wait: { deadlineMs: number; endMs: number; signal: AbortSignal },
  ): Promise<Asker> {
    const { signal, endMs, deadlineMs } = wait;
    const { clock } = this.#options;
    if (signal.aborted) throw cancelled(params);
    const known = this.#find(user, params.sessionId, params.callback);
    if (known !== undefined) return known;
    const { promise, resolve, reject } = Promise.withResolvers<Asker>();
    const look = (): void => {
      const found = this.#find(user, params.sessionId, params.callback);
      if (found !== undefined) resolve(found);
    };
    const abort = (): void => reject(cancelled(params));
    const cancel = clock.after(endMs - clock.now(), () => reject(nobody(params, deadlineMs)));
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.add(look);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(look);
      signal.removeEventListener("abort", abort);
      cancel();
    }
  }

  #find(user: string, sessionId: string, name: string): Asker | undefined {
    const bound = this.#bySession.get(keyOf(user, sessionId))?.get(name);
    if (bound !== undefined && !bound.isClosed) return bound;
    const parent = this.#options.parentOf(user, sessionId);
    return parent === undefined ? undefined : this.#find(user, parent, name);
  }
}

function keyOf(user: string, sessionId: string): string {
  return `${user}/${sessionId}`;
}

function checked(params: CallbackParams, result: CallbackResult): CallbackResult {
  if (result.kind === params.ask.kind) return result;
  const reason = `expected an answer to a ${params.ask.kind}, got one to a ${result.kind}`;
  throw new AgentOsError("CALLBACK_FAILED", `${params.callback}: ${reason}`, {
    callback: params.callback,
    reason,
  });
}

function failure(params: CallbackParams, error: unknown): unknown {
  const isOurs = isAgentOsError(error);
  if (isOurs && ["CANCELLED", "DEADLINE_EXCEEDED", "CALLBACK_FAILED"].includes(error.code))
    return error;
  const { callback } = params;
  const reason = error instanceof Error ? error.message : String(error);
  return new AgentOsError("CALLBACK_FAILED", `${callback}: ${reason}`, { callback, reason });
}

function cancelled({ callback }: CallbackParams): AgentOsError {
  return new AgentOsError("CANCELLED", `${callback} was cancelled`, { operation: callback });
}

function nobody({ callback }: CallbackParams, deadlineMs: number): AgentOsError {
  const message = `${callback}: no connection that has it came within ${deadlineMs} ms`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, { operation: callback, deadlineMs });
}
