import type { CallbackParams, CallbackResult } from "@agentos/protocol";

/** The client's functions: hooks, predicates, handlers, host tools, triggers. */
export interface ClientCallbacks {
  /**
   * Asks whichever connection has the function now; while none has, it waits for one within the deadline.
   * Rejects with `CALLBACK_FAILED` (it threw, or answered what does not parse), `DEADLINE_EXCEEDED` or `CANCELLED`.
   */
  call(
    params: CallbackParams,
    options: { deadlineMs: number; signal: AbortSignal },
  ): Promise<CallbackResult>;
}
