import { randomInt } from "node:crypto";

import { AgentOsError, type Json, type JsonObject } from "@agentos/protocol";

import type { PiResponse } from "./pi-message.ts";

/** Until Pi answers a command. A compaction asks its model. */
const ANSWER_MS = 120_000;
/** Commands that wait for their answers. */
const MAX_WAITING = 64;

/** Our commands, matched with their answers. */
export class PiRequests {
  readonly #send: (line: JsonObject) => Promise<void>;
  readonly #waiting = new Map<string, PromiseWithResolvers<Json>>();
  /** Not those of an earlier life, whose answers may still come. */
  readonly #ids = `agentos-${randomInt(2 ** 31)}`;
  #nextId = 1;
  #failure: AgentOsError | undefined;

  constructor(send: (line: JsonObject) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves with the answer's data. Rejects with an `Error` of Pi's words, or an `AgentOsError` where it gave none. */
  async ask(command: JsonObject): Promise<Json> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#waiting.size >= MAX_WAITING) throw tooMany(this.#waiting.size);
    const id = `${this.#ids}-${this.#nextId++}`;
    const answer = Promise.withResolvers<Json>();
    this.#waiting.set(id, answer);
    const timer = setTimeout(() => answer.reject(tooLate(command)), ANSWER_MS);
    this.#send({ id, ...command }).catch((error: unknown) => answer.reject(error));
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  answered({ id, success, error, data }: PiResponse): void {
    const answer = this.#waiting.get(id);
    if (success) answer?.resolve(data ?? null);
    else answer?.reject(new Error(error ?? "pi gave no reason"));
  }

  /** Pi is gone. */
  close(failure: AgentOsError): void {
    this.#failure = failure;
    for (const answer of this.#waiting.values()) answer.reject(failure);
  }
}

function tooLate({ type }: JsonObject): AgentOsError<"DEADLINE_EXCEEDED"> {
  const operation = `pi's answer to ${JSON.stringify(type)}`;
  const message = `${operation} did not come within ${ANSWER_MS} ms`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, { operation, deadlineMs: ANSWER_MS });
}

function tooMany(waiting: number): AgentOsError<"POOL_EXHAUSTED"> {
  const details = { limit: "agentRequests", capacity: MAX_WAITING, waiting };
  return new AgentOsError("POOL_EXHAUSTED", `pi owes ${waiting} answers already`, details);
}
