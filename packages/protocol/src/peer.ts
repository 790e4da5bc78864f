import { AgentOsError, isAgentOsError } from "./agent-os-error.ts";
import { DEFAULTS } from "./defaults.ts";
import { Envelope } from "./envelope.ts";
import { decodeError, encodeError } from "./error-codec.ts";
import { type EventData, type EventName, isEventName } from "./events.ts";
import { dispatch, type Handlers } from "./handlers.ts";
import { Heartbeat } from "./heartbeat.ts";
import { parseArgument } from "./invalid-argument.ts";
import { EVENT_CODECS, METHOD_CODECS } from "./method-codec.ts";
import type { MethodName, MethodParams, MethodResult } from "./methods.ts";
import { closeCode, lost, tooLarge, tooMany } from "./peer-errors.ts";
import { PendingRequests } from "./pending-requests.ts";
import { decodeFrame, type StreamFrame } from "./stream-frame.ts";
import type { Message, Transport } from "./transport.ts";

/** Requests that one peer may have under way at the other; one more is `POOL_EXHAUSTED`. */
export const MAX_CONCURRENT_REQUESTS = 4_096;

/** Bytes that a peer which does not read may let pile up here before it is given up. */
export const MAX_UNSENT_BYTES = 256 * 1024 * 1024;

export interface PeerOptions {
  /** `ping` is answered without one. */
  handlers: Handlers;
  onEvent?: <E extends EventName>(event: E, data: EventData<E>) => void;
  /** A binary frame, parsed, and its own bytes, which the callee may keep and change. */
  onFrame?: (frame: StreamFrame, bytes: Uint8Array) => void;
  /** An error that has no caller to go to, to be logged. */
  onFault?: (error: unknown) => void;
  /** Default 5 s. */
  heartbeatMs?: number;
  /** Default 15 s. */
  peerDeadMs?: number;
  /** Largest message, either way. Default 1 MiB. */
  maxFrameBytes?: number;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
  /** Default 30 s; `null`: as long as the connection lasts. */
  deadlineMs?: number | null | undefined;
}

/** One end of a connection: requests, responses, events and stream frames over any transport. */
export class Peer {
  readonly #transport: Transport;
  readonly #options: PeerOptions;
  readonly #pending = new PendingRequests();
  readonly #handlers: Handlers;
  readonly #maxFrameBytes: number;
  readonly #answering = new Map<number, { method: string; controller: AbortController }>();
  readonly #heartbeat: Heartbeat;
  readonly #closed = Promise.withResolvers<AgentOsError>();
  #closeReason: AgentOsError | undefined;

  constructor(transport: Transport, options: PeerOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#handlers = { ping: () => ({}), ...options.handlers };
    this.#maxFrameBytes = options.maxFrameBytes ?? DEFAULTS.maxFrameBytes;
    this.#heartbeat = new Heartbeat({
      intervalMs: options.heartbeatMs ?? DEFAULTS.heartbeatMs,
      deadMs: options.peerDeadMs ?? DEFAULTS.peerDeadMs,
      ping: () => this.request("ping", {}, { deadlineMs: null }).then(() => undefined),
      dead: (silentMs) =>
        this.close(
          new AgentOsError("CONNECTION_LOST", `the peer was silent for ${silentMs} ms`, {
            reason: "silent",
          }),
        ),
    });
    transport.onMessage = (message) => this.#receive(message);
    transport.onClose = (reason) => this.#finish(lost(reason));
  }

  /** Resolves once, with why the connection is over. Never rejects. */
  get closed(): Promise<AgentOsError> {
    return this.#closed.promise;
  }

  get isClosed(): boolean {
    return this.#closeReason !== undefined;
  }

  /** Bytes waiting in the transport. */
  get bufferedBytes(): number {
    return this.#transport.bufferedBytes;
  }

  /**
   * Asks the other side; the request is sent before this returns. Rejects with the other side's
   * error, `DEADLINE_EXCEEDED`, `CANCELLED`, why the connection closed, or, with nothing sent,
   * `INVALID_ARGUMENT`, `FRAME_TOO_LARGE` or `POOL_EXHAUSTED`.
   */
  async request<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options: RequestOptions = {},
  ): Promise<MethodResult<M>> {
    const codec = METHOD_CODECS[method];
    const parsed = parseArgument(codec.params, params, method);
    if (this.#closeReason !== undefined) throw this.#closeReason;
    if (this.#pending.size >= MAX_CONCURRENT_REQUESTS) throw tooMany(MAX_CONCURRENT_REQUESTS);
    const { id, answer } = this.#pending.add(method, {
      signal: options.signal,
      deadlineMs: options.deadlineMs === undefined ? DEFAULTS.requestMs : options.deadlineMs,
      abandon: (abandoned) => this.#send({ type: "cancel", id: abandoned }),
    });
    try {
      this.#send({ type: "request", id, method, params: parsed });
    } catch (error) {
      this.#pending.reject(id, isAgentOsError(error) ? error : lost(error));
    }
    const result = codec.result.safeParse(await answer);
    if (result.success) return result.data;
    throw new AgentOsError("PROTOCOL_ERROR", `${method}: the answer does not parse`, {
      reason: result.error.message,
    });
  }

  /** Tells the other side. Nothing happens on a closed connection. Throws `FRAME_TOO_LARGE`. */
  emit<E extends EventName>(event: E, data: EventData<E>): void {
    this.#send({ type: "event", event, data: EVENT_CODECS[event].data.parse(data) });
  }

  /** Sends one whole frame. Nothing happens on a closed connection. Throws `FRAME_TOO_LARGE`. */
  sendFrame(frame: Uint8Array): void {
    if (frame.byteLength > this.#maxFrameBytes) {
      throw tooLarge("frame", this.#maxFrameBytes, frame.byteLength);
    }
    this.#transmit(frame);
  }

  /** Ends the connection; everything pending is rejected with `reason`. */
  close(
    reason: AgentOsError = new AgentOsError("CONNECTION_LOST", "the connection was closed", {
      reason: "closed",
    }),
  ): void {
    if (this.#closeReason !== undefined) return;
    // First, so that what the transport says about its end is not taken for the reason.
    this.#finish(reason);
    this.#transport.close(closeCode(reason), reason.code);
  }

  #send(envelope: Envelope): void {
    const text = JSON.stringify(envelope);
    const bytes = Buffer.byteLength(text);
    if (bytes > this.#maxFrameBytes) throw tooLarge(envelope.type, this.#maxFrameBytes, bytes);
    this.#transmit(text);
    if (this.#transport.bufferedBytes > MAX_UNSENT_BYTES) {
      this.close(lost(new Error("the peer does not read")));
    }
  }

  #transmit(message: Message): void {
    if (this.#closeReason !== undefined) return;
    try {
      this.#transport.send(message);
    } catch (error) {
      // A transport that does not send is lost: whoever waits hears it as the close reason.
      this.close(lost(error));
    }
  }

  #finish(reason: AgentOsError): void {
    if (this.#closeReason !== undefined) return;
    this.#closeReason = reason;
    this.#heartbeat.stop();
    this.#pending.rejectAll(reason);
    for (const { controller } of this.#answering.values()) controller.abort(reason);
    this.#answering.clear();
    this.#closed.resolve(reason);
  }

  #receive(message: Message): void {
    if (this.#closeReason !== undefined) return;
    this.#heartbeat.alive();
    const length = typeof message === "string" ? Buffer.byteLength(message) : message.byteLength;
    if (length > this.#maxFrameBytes) {
      return this.close(tooLarge("message", this.#maxFrameBytes, length));
    }
    try {
      if (typeof message === "string") this.#receiveText(message);
      else this.#receiveFrame(message);
    } catch (error) {
      // A fault of ours costs this connection, not the process.
      this.#options.onFault?.(error);
      this.close(new AgentOsError("INTERNAL", "a message could not be handled", {}));
    }
  }

  #receiveText(text: string): void {
    const envelope = parseEnvelope(text);
    if (envelope === undefined) return this.#violation("a text message does not parse");
    this.#handle(envelope);
  }

  #receiveFrame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) return this.#violation("a binary message is not one whole frame");
    this.#options.onFrame?.(frame, bytes);
  }

  #handle(envelope: Envelope): void {
    switch (envelope.type) {
      case "request":
        return this.#accept(envelope.id, envelope.method, envelope.params);
      case "response":
        return this.#pending.resolve(envelope.id, envelope.result);
      case "failure":
        return this.#pending.reject(envelope.id, decodeError(envelope.error));
      case "cancel":
        return this.#cancel(envelope.id);
      case "event":
        if (isEventName(envelope.event)) this.#event(envelope.event, envelope.data);
        return;
    }
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- It ties the event to its codec.
  #event<E extends EventName>(event: E, raw: unknown): void {
    const data = EVENT_CODECS[event].data.safeParse(raw);
    if (!data.success) return this.#violation(`event ${event} does not parse`);
    this.#options.onEvent?.(event, data.data);
  }

  /** Calls the handler before it returns, so that frames behind the request find their stream. */
  #accept(id: number, method: string, params: unknown): void {
    if (this.#answering.has(id)) return this.#violation(`request id ${id} is in use`);
    // The requester may have given up on some of them, so this is no violation.
    if (this.#answering.size >= MAX_CONCURRENT_REQUESTS)
      return this.#fail(id, tooMany(MAX_CONCURRENT_REQUESTS));
    void this.#answer(id, method, params);
  }

  async #answer(id: number, method: string, params: unknown): Promise<void> {
    const controller = new AbortController();
    this.#answering.set(id, { method, controller });
    try {
      const { signal } = controller;
      const result = await dispatch(this.#handlers, method, params, { signal });
      this.#send({ type: "response", id, result });
    } catch (error) {
      this.#fail(id, error);
    } finally {
      this.#answering.delete(id);
    }
  }

  #fail(id: number, error: unknown): void {
    const wire = encodeError(error);
    if (wire.code === "INTERNAL") this.#options.onFault?.(error);
    try {
      this.#send({ type: "failure", id, error: wire });
    } catch (unsent) {
      // Its details don't fit or don't serialise: the code must arrive all the same.
      this.#options.onFault?.(unsent);
      this.#send({ type: "failure", id, error: encodeError(undefined) });
    }
  }

  #cancel(id: number): void {
    const request = this.#answering.get(id);
    if (request === undefined) return;
    const { method } = request;
    request.controller.abort(
      new AgentOsError("CANCELLED", `${method} was cancelled`, { operation: method }),
    );
  }

  #violation(reason: string): void {
    this.close(new AgentOsError("PROTOCOL_ERROR", reason, { reason }));
  }
}

function parseEnvelope(text: string): Envelope | undefined {
  try {
    return Envelope.safeParse(JSON.parse(text)).data;
  } catch {
    // Not JSON at all: the caller treats both alike.
    return undefined;
  }
}
