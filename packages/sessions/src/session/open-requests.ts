import {
  AgentOsError,
  type PendingRequest,
  type RequestAnswer,
  type RequestOutcome,
} from "@agentos/protocol";

import type { RequestBook } from "../request-book.ts";
import type { EarlierRequests } from "./earlier-requests.ts";
import { sizeOf } from "./event-bounds.ts";
import { answerOutcome, assertAnswers } from "./request-answer.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import { invalidArgument } from "./session-errors.ts";

interface Open {
  readonly request: PendingRequest;
  readonly answer: (answer: RequestAnswer) => void;
}

export interface OpenRequestsOptions {
  readonly sessionId: string;
  /** What was asked in an earlier life. */
  readonly earlier: EarlierRequests;
  /** Writes it and tells it, where it is new; it is open when this returns. */
  readonly opened: (request: PendingRequest, is: { new: boolean; first: boolean }) => void;
  readonly settled: (request: PendingRequest, outcome: RequestOutcome, wasLast: boolean) => void;
  readonly outcome: (requestId: string) => RequestOutcome | undefined;
}

/** What a session's agent waits for people to say. */
export class OpenRequests implements RequestBook {
  readonly #options: OpenRequestsOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: OpenRequestsOptions) {
    this.#options = options;
  }

  get pending(): PendingRequest[] {
    const open = [...this.#open.values()].map(({ request }) => request);
    return [...this.#options.earlier.pending, ...open];
  }

  async open(request: PendingRequest, signal: AbortSignal): Promise<RequestAnswer> {
    if (signal.aborted) throw cancelled(request);
    if (this.#open.size >= SESSION_BOUNDS.openRequests) throw tooMany(this.#open.size);
    assertFits(request);
    const earlier = this.#options.earlier.take(request.digest);
    if (earlier?.answer !== undefined) return earlier.answer;
    const isNew = earlier === undefined;
    return await this.#wait(earlier?.request ?? request, isNew, signal);
  }

  async #wait(
    request: PendingRequest,
    isNew: boolean,
    signal: AbortSignal,
  ): Promise<RequestAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<RequestAnswer>();
    this.#options.opened(request, { new: isNew, first: this.#open.size === 0 });
    this.#open.set(request.requestId, { request, answer: resolve });
    const abort = (): void => {
      reject(cancelled(request));
      this.#settle(request, "cancelled");
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Throws `NOT_FOUND`, `REQUEST_SETTLED`, or `INVALID_ARGUMENT` for an answer to something else; then it stays open. */
  respond(requestId: string, answer: RequestAnswer): void {
    const open = this.#open.get(requestId);
    if (open === undefined) return this.#respondLate(requestId, answer);
    assertAnswers(open.request, answer);
    this.#settle(open.request, answerOutcome(answer));
    open.answer(answer);
  }

  /** What an earlier life had asked has not been asked again: it is settled as cancelled. */
  endEarlier(): void {
    this.#options.earlier.end();
  }

  /** Nobody waits for it yet: the agent has to ask again. */
  #respondLate(requestId: string, answer: RequestAnswer): void {
    const { earlier } = this.#options;
    const request = earlier.find(requestId);
    if (request === undefined) throw this.#notOpen(requestId);
    assertAnswers(request, answer);
    earlier.answer(request, answer);
  }

  #settle(request: PendingRequest, outcome: RequestOutcome): void {
    if (!this.#open.has(request.requestId)) return;
    const wasLast = this.#open.size === 1;
    this.#options.settled(request, outcome, wasLast);
    this.#open.delete(request.requestId);
  }

  #notOpen(requestId: string): AgentOsError {
    const outcome = this.#options.outcome(requestId);
    if (outcome !== undefined) {
      const message = `request ${requestId} is settled already: ${outcome}`;
      return new AgentOsError("REQUEST_SETTLED", message, { requestId, outcome });
    }
    const message = `no request ${requestId} in session ${this.#options.sessionId}`;
    return new AgentOsError("NOT_FOUND", message, { kind: "request", id: requestId });
  }
}

/** What nobody could be shown whole, nobody may be asked. */
function assertFits(request: PendingRequest): void {
  const bytes = sizeOf(request);
  const expected = `at most ${SESSION_BOUNDS.requestBytes} bytes to ask about`;
  if (bytes > SESSION_BOUNDS.requestBytes) throw invalidArgument("request", expected, `${bytes}`);
}

function cancelled({ kind, requestId }: PendingRequest): AgentOsError {
  const operation = `${kind} ${requestId}`;
  return new AgentOsError("CANCELLED", `${operation} was cancelled`, { operation });
}

function tooMany(waiting: number): AgentOsError {
  const capacity = SESSION_BOUNDS.openRequests;
  const message = `${capacity} requests of this session are open already`;
  return new AgentOsError("POOL_EXHAUSTED", message, { limit: "openRequests", capacity, waiting });
}
