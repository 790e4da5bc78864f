import { once } from "node:events";
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";

import type { Clock } from "@agentos/core";
import type { ModelPrice } from "@agentos/runtimes";

import { AnswerPipe } from "./answer-pipe.ts";
import { CallRecord, keyOf } from "./call-record.ts";
import { GATEWAY_BOUNDS } from "./gateway-bounds.ts";
import { shownHeaders, toldHeaders } from "./guest-headers.ts";
import { KeyMask } from "./key-mask.ts";
import type { PathMatch } from "./model-paths.ts";
import type { ProviderClient } from "./provider-client.ts";
import { rateLimitWindows } from "./rate-limit-windows.ts";
import { refuse, type Refusal } from "./refusal.ts";
import type { SessionRoute } from "./session-route.ts";
import { StallWatch } from "./stall-watch.ts";

export interface PassageParts {
  readonly clock: Clock;
  readonly prices: readonly ModelPrice[] | undefined;
  readonly client: ProviderClient;
  readonly route: SessionRoute;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly match: Extract<PathMatch, { kind: "found" }>;
}

/** Who ended it before its time: the guest went away, the provider did, or a bound of ours was met. */
type Break = { readonly by: "guest" } | { readonly by: "provider" | "gateway"; why: Refusal };

/** One request of a guest to its provider and back: byte for byte but for credentials, and no faster than either end takes it. */
export class Passage {
  readonly #parts: PassageParts;
  readonly #mask: KeyMask;
  readonly #record: CallRecord;
  readonly #abort = new AbortController();
  #pipe: AnswerPipe | undefined;
  #status = 0;
  #break: Break | undefined;

  constructor(parts: PassageParts) {
    this.#parts = parts;
    const { route, match, prices } = parts;
    this.#mask = new KeyMask(keyOf(route.target));
    this.#record = new CallRecord(route, match, prices);
  }

  /** Resolves when nothing of it is left, however it went. Never rejects. */
  async run(): Promise<void> {
    const { response, route } = this.#parts;
    const { signal: closed } = route.closed;
    const gone = (): void => {
      if (!response.writableFinished) this.#break ??= { by: "guest" };
      this.#abort.abort();
    };
    const end = (): void => this.#giveUp({ status: 503, message: "the session has ended" });
    response.once("close", gone);
    closed.addEventListener("abort", end, { once: true });
    try {
      await this.#relay(await this.#ask());
    } catch (error) {
      this.#broken(error);
    } finally {
      closed.removeEventListener("abort", end);
      this.#abort.abort();
    }
  }

  /** Sends the request, and resolves with the beginning of its answer: it may come before everything is sent. */
  async #ask(): Promise<IncomingMessage> {
    const { clock, client, route, request, match } = this.#parts;
    const outgoing = client.request(route.target, {
      method: request.method ?? "GET",
      path: match.path,
      headers: toldHeaders(request.headers),
      signal: this.#abort.signal,
    });
    const silence = new StallWatch(clock, GATEWAY_BOUNDS.answerStallMs, () => this.#silent());
    const connect = this.#connectWatch(outgoing);
    const answer = Promise.withResolvers<IncomingMessage>();
    outgoing.once("response", answer.resolve);
    outgoing.on("error", answer.reject);
    this.#send(outgoing).catch((error: unknown) => {
      // Where an answer has come, what of the request was not taken was not wanted.
      answer.reject(error);
      outgoing.destroy();
    });
    try {
      return await answer.promise;
    } finally {
      silence.stop();
      connect.stop();
    }
  }

  async #send(outgoing: ClientRequest): Promise<void> {
    const { clock, request } = this.#parts;
    const { signal } = this.#abort;
    using watch = new StallWatch(clock, GATEWAY_BOUNDS.requestStallMs, () =>
      this.#giveUp({ status: 400, message: "expected the rest of the request, none came" }),
    );
    let bytes = 0;
    // The connection has to outlive a request that is not read to its end: it carries the answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      watch.moved();
      bytes += chunk.byteLength;
      if (bytes > GATEWAY_BOUNDS.requestBytes) this.#giveUp(TOO_LARGE);
      signal.throwIfAborted();
      if (!outgoing.write(chunk)) await once(outgoing, "drain", { signal });
    }
    outgoing.end();
  }

  async #relay(answer: IncomingMessage): Promise<void> {
    const { clock, route, response, match } = this.#parts;
    const { headers, statusCode: status = 502 } = answer;
    this.#status = status;
    // Before the pipeline takes the guest's connection with it.
    answer.once("error", (error) => this.#providerBroke(error));
    const windows = rateLimitWindows(headers);
    if (windows.length > 0) route.rateLimits = windows;
    const encoding = headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      const message = `the provider's answer is encoded as ${encoding}, which was not asked for`;
      this.#giveUp({ status: 502, message });
      throw new Error(message);
    }
    using watch = new StallWatch(clock, GATEWAY_BOUNDS.answerStallMs, () => this.#silent());
    this.#pipe = new AnswerPipe({
      clock,
      status,
      headers,
      format: match.format,
      record: this.#record,
      mask: this.#mask,
      moved: () => watch.moved(),
      heard: () => route.heard(),
    });
    response.writeHead(
      status,
      shownHeaders(headers, (text) => this.#mask.text(text)),
    );
    response.flushHeaders();
    await pipeline(answer, this.#pipe, response);
  }

  #connectWatch(outgoing: ClientRequest): StallWatch {
    const { clock } = this.#parts;
    const watch = new StallWatch(clock, GATEWAY_BOUNDS.connectMs, () =>
      this.#giveUp({ status: 504, message: "the provider can't be reached", isRetryable: true }),
    );
    outgoing.once("socket", (socket) => {
      const event = "encrypted" in socket ? "secureConnect" : "connect";
      if (socket.connecting) socket.once(event, () => watch.stop());
      else watch.stop();
    });
    return watch;
  }

  #silent(): void {
    this.#giveUp({ status: 504, message: "the provider said nothing for too long" });
  }

  #providerBroke(error: Error): void {
    const what = "code" in error ? String(error.code) : error.name;
    const message = `the connection to the provider broke: ${this.#mask.text(what)}`;
    this.#break ??= { by: "provider", why: { status: 502, message, isRetryable: true } };
  }

  #giveUp(why: Refusal): void {
    this.#break ??= { by: "gateway", why };
    this.#abort.abort();
  }

  /** Both sides are told as much as there still is a way to tell. */
  #broken(error: unknown): void {
    if (error instanceof Error) this.#providerBroke(error);
    const { response, route } = this.#parts;
    const facts = this.#pipe?.facts;
    if (this.#break === undefined || this.#break.by === "guest") {
      this.#record.abandoned(this.#status, facts);
      response.destroy();
      return;
    }
    const { why } = this.#break;
    this.#record.broken(this.#status, facts, why.message);
    if (response.headersSent || response.destroyed) response.destroy();
    else refuse(response, route.target.api, why);
  }
}

const TOO_LARGE: Refusal = {
  status: 413,
  message: `expected a request of at most ${GATEWAY_BOUNDS.requestBytes} bytes`,
};
