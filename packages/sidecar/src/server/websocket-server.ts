import { chmod, rm } from "node:fs/promises";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";

import {
  AgentOsError,
  DEFAULTS,
  type ListenAddress,
  nodeHttp,
  type Transport,
} from "@agentos/protocol";
import { WebSocketServer as Sockets } from "ws";

import { BOUNDS } from "../bounds.ts";
import type { ApiKey, ApiKeys } from "../keys/api-keys.ts";
import { errorFacts, type Log } from "../log.ts";
import { authorize, isLoopback, type Refusal } from "./request-guard.ts";
import { WebSocketTransport } from "./websocket-transport.ts";

/** A unix socket's path, without the NUL. */
const MAX_SOCKET_PATH_BYTES = 107;

export interface WebSocketServerOptions {
  listen: ListenAddress;
  keys: ApiKeys;
  log: Log;
  onConnection: (transport: Transport, key: ApiKey) => void;
}

/** Accepts clients: WebSockets with a valid key, and nothing else. */
export class WebSocketServer implements AsyncDisposable {
  readonly #options: WebSocketServerOptions;
  readonly #http: Server;
  readonly #sockets: Sockets;
  #listen: ListenAddress;

  /** Listens, or rejects with `SIDECAR_START_FAILED`. */
  static async open(options: WebSocketServerOptions): Promise<WebSocketServer> {
    assertSafe(options.listen);
    const server = new WebSocketServer(options);
    await server.#open();
    return server;
  }

  private constructor(options: WebSocketServerOptions) {
    this.#options = options;
    this.#listen = options.listen;
    this.#sockets = new Sockets({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: DEFAULTS.maxFrameBytes,
      maxFragments: BOUNDS.fragments,
      maxBufferedChunks: BOUNDS.bufferedChunks,
    });
    this.#http = nodeHttp.createServer({
      maxHeaderSize: BOUNDS.httpHeaderBytes,
      headersTimeout: BOUNDS.httpHeadersMs,
      requestTimeout: BOUNDS.httpHeadersMs,
      connectionsCheckingInterval: 1_000,
      keepAlive: false,
      // Checked here, with the answer that says what was wrong.
      requireHostHeader: false,
    });
    this.#http.maxConnections = BOUNDS.connections;
    this.#http.on("request", (request, response) => {
      const { status, reason } = this.#refusalOf(request);
      response
        .writeHead(status, { connection: "close", "content-type": "text/plain" })
        .end(`${reason}\n`);
    });
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Where it listens, with the port that the system chose. */
  get listen(): ListenAddress {
    return this.#listen;
  }

  /** Accepts no one any more. Open connections are their owners' to close. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeAllConnections();
    await closed;
  }

  async #open(): Promise<void> {
    const { listen } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#http.once("error", reject);
    try {
      if (listen.kind === "unix") await this.#listenOnSocket(listen.path, promise, resolve);
      else this.#http.listen({ host: numericOf(listen.host), port: listen.port }, resolve);
      await promise;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new AgentOsError(
        "SIDECAR_START_FAILED",
        `cannot listen: ${reason}`,
        { reason, stderr: [] },
        { cause: error },
      );
    }
    this.#http.off("error", reject);
    this.#http.on("error", (error) =>
      this.#options.log.error(errorFacts(error), "the server failed"),
    );
    const address = this.#http.address();
    if (listen.kind === "tcp" && typeof address === "object" && address !== null) {
      this.#listen = { ...listen, port: address.port };
    }
  }

  async #listenOnSocket(
    path: string,
    listening: Promise<void>,
    resolve: () => void,
  ): Promise<void> {
    // What a killed sidecar left; the pool's lock says that nobody uses it.
    await rm(path, { force: true });
    // The mode is there from the bind on: between bind and chmod others could connect.
    const mask = process.umask(0o177);
    try {
      this.#http.listen({ path }, resolve);
    } finally {
      process.umask(mask);
    }
    await listening;
    await chmod(path, 0o600);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", (error) =>
      this.#options.log.debug(errorFacts(error), "a client's socket failed"),
    );
    const key = authorize(request, this.#listen, this.#options.keys);
    if ("status" in key) return refuse(socket, key);
    if (request.url !== "/")
      return refuse(socket, { status: 404, reason: "the WebSocket is at /" });
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#options.onConnection(new WebSocketTransport(webSocket, socket), key);
    });
  }

  #refusalOf(request: IncomingMessage): Refusal {
    const key = authorize(request, this.#listen, this.#options.keys);
    return "status" in key ? key : { status: 404, reason: "there is only a WebSocket here, at /" };
  }
}

function refuse(socket: Duplex, { status, reason }: Refusal): void {
  const body = `${reason}\n`;
  const head = `HTTP/1.1 ${status} ${nodeHttp.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`;
  socket.end(head + body);
}

/** Not left to the machine's name service, which may know another localhost. */
function numericOf(host: string): string {
  return host === "localhost" ? "127.0.0.1" : host;
}

function assertSafe(listen: ListenAddress): void {
  let reason: string | undefined;
  if (listen.kind === "tcp" && !isLoopback(listen.host)) {
    reason = `expected a loopback address (127.0.0.1, ::1 or localhost) to listen on, got ${listen.host}: without TLS others could read the key`;
  }
  if (listen.kind === "unix" && Buffer.byteLength(listen.path) > MAX_SOCKET_PATH_BYTES) {
    reason = `expected a socket path of at most ${MAX_SOCKET_PATH_BYTES} bytes, got ${Buffer.byteLength(listen.path)}: ${listen.path}`;
  }
  if (reason !== undefined)
    throw new AgentOsError("SIDECAR_START_FAILED", reason, { reason, stderr: [] });
}
