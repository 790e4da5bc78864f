import type { PendingRequest, RequestAnswer } from "@agentos/protocol";

/** The open permission requests and questions of one session: durable, told to every reader, answered once. */
export interface RequestBook {
  /**
   * Writes the request and waits for its answer, without a deadline. Rejects with `CANCELLED` once the
   * signal is aborted; the request is settled as cancelled then.
   */
  open(request: PendingRequest, signal: AbortSignal): Promise<RequestAnswer>;
}
