import {
  AgentOsError,
  type PendingRequest,
  type Question,
  type RequestAnswer,
  type RequestOutcome,
} from "@agentos/protocol";

import type { RequestBook } from "../request-book.ts";
import { sizeOf } from "./event-bounds.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";

interface Open {
  readonly request: PendingRequest;
  readonly answer: (answer: RequestAnswer) => void;
}

export interface OpenRequestsOptions {
  readonly sessionId: string;
  /** Writes it and tells it; it is open when this returns. */
  readonly opened: (request: PendingRequest, isFirst: boolean) => void;
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
    return [...this.#open.values()].map(({ request }) => request);
  }

  async open(request: PendingRequest, signal: AbortSignal): Promise<RequestAnswer> {
    if (signal.aborted) throw cancelled(request);
    if (this.#open.size >= SESSION_BOUNDS.openRequests) throw tooMany(this.#open.size);
    assertFits(request);
    const { promise, resolve, reject } = Promise.withResolvers<RequestAnswer>();
    this.#options.opened(request, this.#open.size === 0);
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
    if (open === undefined) throw this.#notOpen(requestId);
    assertAnswers(open.request, answer);
    this.#settle(open.request, outcomeOf(answer));
    open.answer(answer);
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

function outcomeOf(answer: RequestAnswer): RequestOutcome {
  if (answer.kind === "permission") return answer.decision === "allow" ? "allowed" : "denied";
  return answer.responses.every(({ skipped }) => skipped === true) ? "unanswered" : "answered";
}

function assertAnswers(request: PendingRequest, answer: RequestAnswer): void {
  if (answer.kind !== request.kind)
    throw invalid("answer.kind", `an answer to a ${request.kind}`, answer.kind);
  if (request.kind !== "question" || answer.kind !== "question") return;
  const { questions } = request;
  const { responses } = answer;
  if (responses.length !== questions.length)
    throw invalid("answer.responses", `${questions.length}`, `${responses.length}`);
  questions.forEach((question, index) => {
    assertSelected(question, responses[index]?.selectedOptionIds ?? []);
  });
}

function assertSelected({ options, multiSelect }: Question, selected: readonly string[]): void {
  const argument = "answer.responses.selectedOptionIds";
  if (!multiSelect && selected.length > 1) throw invalid(argument, "one option", selected.join());
  const known = options.map(({ id }) => id);
  const unknown = selected.find((id) => !known.includes(id));
  if (unknown !== undefined) throw invalid(argument, `options of ${known.join(", ")}`, unknown);
}

/** What nobody could be shown whole, nobody may be asked. */
function assertFits(request: PendingRequest): void {
  const bytes = sizeOf(request);
  const expected = `at most ${SESSION_BOUNDS.requestBytes} bytes to ask about`;
  if (bytes > SESSION_BOUNDS.requestBytes) throw invalid("request", expected, `${bytes}`);
}

function invalid(argument: string, expected: string, actual: string): AgentOsError {
  const message = `${argument}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
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
