import { request } from "node:http";
import { connect, type Socket } from "node:net";

import { AgentOsError, type ListenAddress, type Message, type Transport } from "@agentos/protocol";
import { type RawData, WebSocket } from "ws";

import { TestClient } from "./sidecar-harness.ts";

type Headers = Record<string, string | string[]>;

/** A WebSocket as a test's transport. */
class SocketTransport implements Transport {
  onMessage: ((message: Message) => void) | undefined;
  onClose: ((reason: Error | undefined) => void) | undefined;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      if (Buffer.isBuffer(data)) this.onMessage?.(isBinary ? data : data.toString());
    });
    socket.on("error", () => undefined);
    socket.on("close", () => this.onClose?.(undefined));
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: Message): void {
    this.#socket.send(message);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }
}

function urlOf(listen: ListenAddress, path = "/"): string {
  return listen.kind === "unix"
    ? `ws+unix:${listen.path}:${path}`
    : `ws://127.0.0.1:${listen.port}${path}`;
}

/** An open WebSocket. Rejects with the HTTP status of a refusal as message. */
export async function openSocket(
  listen: ListenAddress,
  options: {
    apiKey?: string;
    headers?: Record<string, string>;
    path?: string;
    origin?: string;
  } = {},
): Promise<WebSocket> {
  const { apiKey, headers = {}, path, origin } = options;
  const authorization = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const socket = new WebSocket(urlOf(listen, path), {
    headers: { ...authorization, ...headers },
    ...(origin === undefined ? {} : { origin }),
    maxPayload: 4 * 1024 * 1024,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("unexpected-response", (_request, response) => {
      reject(new Error(String(response.statusCode)));
      socket.terminate();
    });
    socket.on("error", reject);
  });
  return socket;
}

/** An authenticated client over a real socket. */
export async function openClient(listen: ListenAddress, apiKey: string): Promise<TestClient> {
  const client = new TestClient(new SocketTransport(await openSocket(listen, { apiKey })));
  await client.authenticate();
  return client;
}

export interface HttpAnswer {
  status: number;
  headers: Headers;
  body: string;
}

/** One plain HTTP request. */
export async function http(
  listen: ListenAddress,
  options: { path?: string; method?: string; headers?: Headers; body?: string } = {},
): Promise<HttpAnswer> {
  const { path = "/", method = "GET", headers = {}, body } = options;
  const where =
    listen.kind === "unix" ? { socketPath: listen.path } : { host: "127.0.0.1", port: listen.port };
  return await new Promise((resolve, reject) => {
    const asked = request(
      { ...where, path, method, headers, setHost: !("host" in headers) && listen.kind === "tcp" },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("end", () => {
          const known = Object.entries(response.headers).filter(
            (entry): entry is [string, string | string[]] => entry[1] !== undefined,
          );
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(known),
            body: text,
          });
        });
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

export function openRaw(listen: ListenAddress): Socket {
  return listen.kind === "unix"
    ? connect({ path: listen.path })
    : connect({ host: "127.0.0.1", port: listen.port });
}

/** Sends bytes as they are, and gives everything that comes back until the other side closes. */
export async function raw(listen: ListenAddress, text: string): Promise<string> {
  const socket = openRaw(listen);
  socket.setEncoding("latin1");
  let answer = "";
  socket.on("data", (chunk: string) => (answer += chunk));
  // A reset after the answer is a close, too.
  socket.on("error", () => undefined);
  socket.write(text);
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return answer;
}

export function textOf(data: RawData): string {
  return Buffer.isBuffer(data) ? data.toString() : "expected one buffer";
}

/** What of a refusal reaches a caller; undefined where there was none. */
export async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => undefined,
    (error: unknown) => {
      if (!(error instanceof AgentOsError)) return error;
      const { code, details, message } = error;
      return { code, details, message };
    },
  );
}
