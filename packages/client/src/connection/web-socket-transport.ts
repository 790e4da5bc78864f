import type { NetConnectOpts, Socket } from "node:net";

import {
  AgentOsError,
  FRAME_MAX_PAYLOAD_BYTES,
  type ListenAddress,
  type Message,
  WriteBatch,
} from "@agentos/protocol";
import { type ClientOptions, type RawData, WebSocket } from "ws";

import type { ClientTransport } from "./client-transport.ts";
import { readInPlace, type ReadInPlace } from "./read-in-place.ts";

/** Where a sidecar listens, and the key that opens it. */
export interface Endpoint {
  listen: ListenAddress;
  apiKey: string;
}

/** A peer that does not answer the closing handshake is cut off after this. */
const CLOSE_MS = 1_000;
/** Largest message taken from a sidecar: a whole frame, or a long list as text. */
const MAX_PAYLOAD_BYTES = 2 * FRAME_MAX_PAYLOAD_BYTES;

/** A WebSocket on a sidecar's unix socket or loopback port. */
export class WebSocketTransport implements ClientTransport {
  onMessage: ((message: Message) => void) | undefined;
  onClose: ((reason: Error | undefined) => void) | undefined;
  readonly #socket: WebSocket;
  readonly #raw: Socket;
  readonly #batch: WriteBatch;
  #failure: Error | undefined;

  /** Connects, or rejects with `UNAUTHENTICATED`, or `CONNECTION_LOST` whose cause is the system's error. */
  static async open(
    endpoint: Endpoint,
    options: { signal?: AbortSignal | undefined; timeoutMs: number },
  ): Promise<WebSocketTransport> {
    const reading = readInPlace(pathOrPort(endpoint.listen), MAX_PAYLOAD_BYTES);
    const socket = new WebSocket(
      addressOf(endpoint.listen),
      clientOptions(endpoint, options.timeoutMs, reading),
    );
    await opened(socket, options.signal);
    return new WebSocketTransport(socket, reading.socket);
  }

  private constructor(socket: WebSocket, raw: Socket) {
    this.#socket = socket;
    this.#raw = raw;
    this.#batch = new WriteBatch(raw);
    socket.on("message", (data, isBinary) => this.onMessage?.(toMessage(data, isBinary)));
    socket.on("error", (error) => {
      this.#failure = error;
    });
    socket.on("close", () => this.onClose?.(this.#failure));
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: Message): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#batch.join();
    this.#socket.send(message);
  }

  close(code = 1000, reason = ""): void {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.close(code, reason);
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_MS);
    timer.unref();
    this.#socket.once("close", () => clearTimeout(timer));
  }

  keepAlive(on: boolean): void {
    if (on) this.#raw.ref();
    else this.#raw.unref();
  }
}

function addressOf(listen: ListenAddress): string {
  if (listen.kind === "unix") return `ws+unix:${listen.path}:/`;
  const host = listen.host.includes(":") ? `[${listen.host}]` : listen.host;
  return `ws://${host}:${listen.port}/`;
}

function pathOrPort(listen: ListenAddress): NetConnectOpts {
  return listen.kind === "unix" ? { path: listen.path } : { host: listen.host, port: listen.port };
}

function clientOptions(endpoint: Endpoint, timeoutMs: number, reading: ReadInPlace): ClientOptions {
  return {
    createConnection: () => reading.socket,
    finishRequest: (request) => {
      // What came with the answer is on its way to `ws` already: then where frames begin is not known here.
      request.once("upgrade", (_response, _socket, head) => {
        if (head.byteLength === 0) reading.framesFollow();
      });
      request.end();
    },
    headers: { authorization: `Bearer ${endpoint.apiKey}` },
    perMessageDeflate: false,
    maxPayload: MAX_PAYLOAD_BYTES,
    handshakeTimeout: timeoutMs,
    // Masking guards proxies between browsers and servers; on a local socket it only costs a copy.
    generateMask: (mask) => void mask.fill(0),
  };
}

function opened(socket: WebSocket, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      socket.terminate();
      reject(
        new AgentOsError(
          "CANCELLED",
          "connecting was cancelled",
          { operation: "connect" },
          { cause: signal?.reason },
        ),
      );
    };
    const done = (): void => signal?.removeEventListener("abort", abort);
    socket.once("open", () => (done(), resolve()));
    socket.on("error", (error) => (done(), reject(unreachable(error))));
    socket.once("unexpected-response", (_request, response) => {
      done();
      reject(refused(response.statusCode));
      socket.terminate();
    });
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

function unreachable(cause: Error): AgentOsError {
  const reason = cause.message;
  return new AgentOsError(
    "CONNECTION_LOST",
    `cannot connect to the sidecar: ${reason}`,
    { reason },
    { cause },
  );
}

function refused(status: number | undefined): AgentOsError {
  const reason = `the sidecar answered ${status} instead of opening a WebSocket`;
  if (status === 401 || status === 403)
    return new AgentOsError("UNAUTHENTICATED", reason, { reason });
  return new AgentOsError("CONNECTION_LOST", reason, { reason });
}

function toMessage(data: RawData, isBinary: boolean): Message {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : data;
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
  return isBinary ? buffer : buffer.toString();
}
