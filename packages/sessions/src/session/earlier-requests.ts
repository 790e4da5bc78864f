import type { SessionStore } from "@agentos/core";
import { AgentOsError, type PendingRequest, type RequestAnswer } from "@agentos/protocol";

import { requestDigest } from "../policies/request-digest.ts";
import { errorFacts } from "./deadline.ts";
import { answerOutcome } from "./request-answer.ts";
import type { SessionLog } from "./session-parts.ts";
import type { SessionRecord } from "./session-record.ts";

interface Earlier {
  readonly request: PendingRequest;
  readonly answer: RequestAnswer | undefined;
}

export interface EarlierRequestsOptions {
  readonly record: SessionRecord;
  readonly store: Pick<SessionStore, "requests" | "keptAnswers">;
  readonly log: SessionLog;
  /** The fence that the session is used with now: what was asked under another one is answered no more. */
  readonly fence: () => number;
}

/**
 * What was asked of people in an earlier life of the sidecar. It stays open, and its answer is kept, until the
 * end of the next turn: where the agent asks exactly the same again, that is the answer, once.
 */
export class EarlierRequests {
  readonly #options: EarlierRequestsOptions;
  /** By id, in the order in which they were asked. */
  readonly #requests = new Map<string, Earlier>();

  constructor(options: EarlierRequestsOptions) {
    this.#options = options;
    const { store, record } = options;
    for (const request of store.requests(record.key))
      this.#requests.set(request.requestId, { request, answer: undefined });
    for (const kept of store.keptAnswers(record.key))
      this.#requests.set(kept.request.requestId, kept);
  }

  /** Those that nobody has answered. */
  get pending(): PendingRequest[] {
    return [...this.#requests.values()]
      .filter(({ answer }) => answer === undefined)
      .map(({ request }) => request);
  }

  /** One that nobody has answered. Throws `REQUEST_SETTLED` for one that can't be answered any more. */
  find(requestId: string): PendingRequest | undefined {
    const known = this.#requests.get(requestId);
    if (known === undefined || known.answer !== undefined) return undefined;
    const { request } = known;
    if (this.#isCurrent(request)) return request;
    this.#cancel(request);
    const outcome = "cancelled";
    const message = `request ${requestId} is settled: it was asked before the VM was taken over`;
    throw new AgentOsError("REQUEST_SETTLED", message, { requestId, outcome });
  }

  /** Keeps the answer; it is durable when this returns. */
  answer(request: PendingRequest, answer: RequestAnswer): void {
    const { requestId, turnId } = request;
    const outcome = answerOutcome(answer);
    this.#options.record.write({
      settleRequest: { requestId, outcome, answer },
      entries: [{ turnId, happening: { type: "request_resolved", requestId, outcome } }],
    });
    this.#requests.set(requestId, { request, answer });
  }

  /** Takes out what was asked in exactly these words before: its answer is used with that, its request is the asker's. */
  take(digest: string): Earlier | undefined {
    const known = [...this.#requests.values()].find(({ request }) => request.digest === digest);
    if (known === undefined) return undefined;
    const { requestId } = known.request;
    if (known.answer !== undefined) this.#options.record.write({ dropAnswer: requestId });
    this.#requests.delete(requestId);
    return known;
  }

  /** A turn has ended without the others: they are settled as cancelled, and answers that nobody used are told. */
  end(): void {
    try {
      for (const { request, answer } of this.#requests.values()) {
        if (answer === undefined) this.#cancel(request);
        else this.#drop(request);
      }
    } catch (error) {
      // A full disk: they are asked and kept on.
      const { record, log } = this.#options;
      const facts = { sessionId: record.sessionId, ...errorFacts(error) };
      log.error(facts, "requests of an earlier life were not settled");
    }
  }

  #cancel({ requestId, turnId }: PendingRequest): void {
    const outcome = "cancelled";
    this.#options.record.write({
      settleRequest: { requestId, outcome },
      entries: [{ turnId, happening: { type: "request_resolved", requestId, outcome } }],
    });
    this.#requests.delete(requestId);
  }

  #drop({ requestId, turnId }: PendingRequest): void {
    const message = `the answer to ${requestId} was not used: the agent did not ask that again`;
    const entries = [{ turnId, happening: { type: "notice" as const, message } }];
    this.#options.record.write({ dropAnswer: requestId, entries });
    this.#requests.delete(requestId);
  }

  #isCurrent(request: PendingRequest): boolean {
    const { record, fence } = this.#options;
    const asked = request.kind === "permission" ? request.call : request.questions;
    return request.digest === requestDigest(record.sessionId, fence(), asked);
  }
}
