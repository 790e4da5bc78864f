import { AgentOsError, type Json, type JsonObject } from "@agentos/protocol";

/** Requests of ours that wait for their answers. */
const MAX_WAITING = 256;

/** What the other end answered a request of ours with, where it refused it. */
export class LinePeerError extends Error {
  readonly code: number;
  readonly data: Json | undefined;

  constructor(code: number, message: string, data: Json | undefined) {
    super(message);
    this.name = "LinePeerError";
    this.code = code;
    this.data = data;
  }
}

export interface LinePeerOptions {
  readonly send: (message: JsonObject) => Promise<void>;
  /** What the other end asks. Its result, or what it throws, is answered; a `LinePeerError` as it is. */
  readonly onRequest: (method: string, params: Json, signal: AbortSignal) => Promise<Json>;
  readonly onNotification: (method: string, params: Json) => void;
  /** Codex leaves the member `jsonrpc` out. Default true. */
  readonly hasVersion?: boolean;
  /** The first of our ids. Default 1. */
  readonly firstId?: number;
}

export interface RequestChoice {
  readonly signal?: AbortSignal;
  /** Default: none. */
  readonly timeoutMs?: number;
  /** The other end has it, under this id. */
  readonly onSent?: (id: number) => void;
}

/** JSON-RPC in lines, both ways: requests, answers and notifications are matched, and everything else is let through. */
export class LinePeer {
  readonly #options: LinePeerOptions;
  readonly #waiting = new Map<number, PromiseWithResolvers<Json>>();
  readonly #closed = new AbortController();
  #nextId: number;
  #failure: AgentOsError | undefined;

  constructor(options: LinePeerOptions) {
    this.#options = options;
    this.#nextId = options.firstId ?? 1;
  }

  /** Rejects with `LinePeerError`, `DEADLINE_EXCEEDED`, the signal's reason, or why the other end is gone. */
  async request(
    method: string,
    params: Json,
    { signal, timeoutMs, onSent }: RequestChoice = {},
  ): Promise<Json> {
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#waiting.size >= MAX_WAITING) throw tooMany(this.#waiting.size);
    const id = this.#nextId++;
    const answer = Promise.withResolvers<Json>();
    this.#waiting.set(id, answer);
    const abort = (): void => answer.reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => answer.reject(tooLate(method, timeoutMs)), timeoutMs);
    // Its failure is the answer's: a program that is gone tells so by itself.
    this.#send({ id, method, params }).then(
      () => onSent?.(id),
      (error: unknown) => answer.reject(error),
    );
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(id);
    }
  }

  /** The answer to a request that an earlier life has sent. Rejects as `request` does. */
  async expect(id: number): Promise<Json> {
    if (this.#failure !== undefined) throw this.#failure;
    const answer = Promise.withResolvers<Json>();
    this.#waiting.set(id, answer);
    try {
      return await answer.promise;
    } finally {
      this.#waiting.delete(id);
    }
  }

  async notify(method: string, params: Json): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await this.#send({ method, params });
  }

  /** A message of the other end. The result, for a request, resolves once it is answered. */
  receive(message: Json): Promise<void> | undefined {
    if (typeof message !== "object" || message === null || Array.isArray(message)) return undefined;
    const { id, method, params = null } = message;
    if (typeof method === "string") {
      if (id !== undefined && id !== null) return this.#answer(id, method, params);
      this.#options.onNotification(method, params);
      return undefined;
    }
    if (typeof id !== "number" && typeof id !== "string") return undefined;
    if (message["result"] === undefined && message["error"] === undefined) return undefined;
    // An answer that came too late has nobody to tell.
    const waiting = this.#waiting.get(Number(id));
    if (message["error"] === undefined) waiting?.resolve(message["result"] ?? null);
    else waiting?.reject(readError(message["error"]));
    return undefined;
  }

  /** The other end is gone: what waits is told why. */
  close(failure: AgentOsError): void {
    this.#failure ??= failure;
    this.#closed.abort(failure);
    for (const answer of this.#waiting.values()) answer.reject(failure);
  }

  async #answer(id: Json, method: string, params: Json): Promise<void> {
    const { signal } = this.#closed;
    const answer = await this.#options.onRequest(method, params, signal).then(
      (result) => ({ result }),
      (error: unknown) => ({ error: encodeFailure(error) }),
    );
    // Whoever asked may be gone.
    await this.#send({ id, ...answer }).catch(() => undefined);
  }

  async #send(message: JsonObject): Promise<void> {
    const { hasVersion = true } = this.#options;
    await this.#options.send(hasVersion ? { jsonrpc: "2.0", ...message } : message);
  }
}

const INTERNAL_ERROR = -32_603;

function encodeFailure(error: unknown): JsonObject {
  const message = error instanceof Error ? error.message : String(error);
  return { code: error instanceof LinePeerError ? error.code : INTERNAL_ERROR, message };
}

function readError(error: Json): LinePeerError {
  const { code, message, data } =
    typeof error === "object" && error !== null && !Array.isArray(error)
      ? error
      : { code: INTERNAL_ERROR, message: JSON.stringify(error), data: undefined };
  return new LinePeerError(
    typeof code === "number" ? code : INTERNAL_ERROR,
    typeof message === "string" ? message : JSON.stringify(error),
    data,
  );
}

function tooLate(operation: string, deadlineMs: number): AgentOsError<"DEADLINE_EXCEEDED"> {
  const message = `${operation}: no answer of the agent within ${deadlineMs} ms`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, { operation, deadlineMs });
}

function tooMany(waiting: number): AgentOsError<"POOL_EXHAUSTED"> {
  const message = `the agent owes ${waiting} answers already`;
  const details = { limit: "agentRequests", capacity: MAX_WAITING, waiting };
  return new AgentOsError("POOL_EXHAUSTED", message, details);
}
