import { AgentOsError, type CallbackParams, type CallbackResult } from "@agentos/protocol";

/** The client's functions of one session. */
export interface SessionFunctions {
  /** Rejects with whatever the function threw. */
  answer(params: CallbackParams, signal: AbortSignal): Promise<CallbackResult>;
}

/** Hands what a sidecar asks over one connection to the session that has the function. */
export class CallbackRouter {
  readonly #sessions = new Map<string, SessionFunctions>();

  /** The result takes it back. */
  register(sessionId: string, functions: SessionFunctions): () => void {
    this.#sessions.set(sessionId, functions);
    return () => {
      if (this.#sessions.get(sessionId) === functions) this.#sessions.delete(sessionId);
    };
  }

  /** Rejects with `CALLBACK_FAILED`, which says no more than that the function threw: its error is its program's. */
  async answer(params: CallbackParams, signal: AbortSignal): Promise<CallbackResult> {
    const { callback, sessionId } = params;
    const functions = this.#sessions.get(sessionId);
    if (functions === undefined) throw failed(callback, `nobody has session ${sessionId} here`);
    try {
      return await functions.answer(params, signal);
    } catch (error) {
      if (error instanceof AgentOsError) throw error;
      throw failed(callback, error instanceof Error ? error.message : "it threw");
    }
  }
}

function failed(callback: string, reason: string): AgentOsError {
  return new AgentOsError("CALLBACK_FAILED", `${callback}: ${reason}`, { callback, reason });
}
