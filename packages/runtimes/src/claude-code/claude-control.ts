import { randomInt } from "node:crypto";

import { AgentOsError, type Json, type JsonObject } from "@agentos/protocol";

import type { ClaudeControlLine } from "./claude-line.ts";

/** Until Claude Code answers a request of ours. */
const ANSWER_MS = 30_000;

export interface ClaudeControlOptions {
  readonly send: (message: JsonObject) => Promise<void>;
  /** What Claude Code asks. What it throws is answered as an error. */
  readonly onRequest: (request: JsonObject, signal: AbortSignal) => Promise<JsonObject>;
}

/** Claude Code refused a request of ours. */
export class ClaudeRefusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ClaudeRefusal";
  }
}

/** Claude Code's control protocol: requests both ways between the lines of a conversation. */
export class ClaudeControl {
  readonly #options: ClaudeControlOptions;
  readonly #waiting = new Map<string, PromiseWithResolvers<JsonObject>>();
  readonly #asked = new Map<string, AbortController>();
  /** Not those of an earlier life, whose answers may still come. */
  readonly #ids = `agentos-${randomInt(2 ** 31)}`;
  #next = 1;
  #failure: AgentOsError | undefined;

  constructor(options: ClaudeControlOptions) {
    this.#options = options;
  }

  /** Rejects with `ClaudeRefusal`, `DEADLINE_EXCEEDED`, or why the program is gone. */
  async request(request: JsonObject & { subtype: string }): Promise<JsonObject> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = `${this.#ids}-${this.#next++}`;
    const answer = Promise.withResolvers<JsonObject>();
    this.#waiting.set(id, answer);
    const timer = setTimeout(() => answer.reject(tooLate(request.subtype)), ANSWER_MS);
    this.#options
      .send({ type: "control_request", request_id: id, request })
      .catch((error: unknown) => answer.reject(error));
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** The result, for a request, resolves once it is answered. */
  receive(line: ClaudeControlLine): Promise<void> | undefined {
    if (line.type === "control_request") return this.#answer(line);
    if (line.type === "control_cancel_request") this.#asked.get(line.request_id)?.abort();
    else this.#answered(line.response);
    return undefined;
  }

  /** The program is gone: nobody waits any more, on either side. */
  close(failure: AgentOsError): void {
    this.#failure ??= failure;
    for (const answer of this.#waiting.values()) answer.reject(failure);
    for (const asked of this.#asked.values()) asked.abort();
  }

  /** Our own answers are said back to us: those are nobody's. */
  #answered({
    request_id: id,
    subtype,
    response = {},
    error,
  }: Extract<ClaudeControlLine, { type: "control_response" }>["response"]): void {
    if (subtype === "success") this.#waiting.get(id)?.resolve(response);
    else this.#waiting.get(id)?.reject(new ClaudeRefusal(error ?? subtype));
  }

  async #answer({
    request_id: id,
    request,
  }: Extract<ClaudeControlLine, { type: "control_request" }>): Promise<void> {
    const asked = new AbortController();
    this.#asked.set(id, asked);
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It came as JSON.
      const response = await this.#options.onRequest(request as JsonObject, asked.signal);
      await this.#respond({ subtype: "success", request_id: id, response });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      await this.#respond({ subtype: "error", request_id: id, error: message });
    } finally {
      this.#asked.delete(id);
    }
  }

  async #respond(response: Record<string, Json>): Promise<void> {
    // Whoever asked may be gone: then nobody waits for it.
    await this.#options.send({ type: "control_response", response }).catch(() => undefined);
  }
}

function tooLate(operation: string): AgentOsError<"DEADLINE_EXCEEDED"> {
  const message = `${operation}: no answer of claude-code within ${ANSWER_MS} ms`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, { operation, deadlineMs: ANSWER_MS });
}
