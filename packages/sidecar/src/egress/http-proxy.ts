import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";

import { nodeHttp } from "@agentos/protocol";

import { parseAuthority, Refusal } from "./dial.ts";
import type { Asked, EgressGate } from "./egress-gate.ts";
import { tunnel } from "./tunnel.ts";

const HEADER_BYTES = 64 * 1024;
const HEADERS_MS = 30_000;
/** What concerns one connection only, or this proxy. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** An HTTP proxy for the programs of one VM: requests with a whole URL, and CONNECT. Emit "connection" with their sockets. */
export function createHttpProxy(gate: EgressGate): Server {
  const server = nodeHttp.createServer({
    maxHeaderSize: HEADER_BYTES,
    headersTimeout: HEADERS_MS,
    // A request's body takes as long as it takes.
    requestTimeout: 0,
  });
  server.on("request", (request, response) => void forward(gate, request, response));
  server.on("connect", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void connectThrough(gate, request, socket, head);
  });
  server.on("upgrade", (_request: IncomingMessage, socket: Duplex) => {
    socket.end(answerText(501, "Not Implemented", "use CONNECT for other protocols"));
  });
  server.on("clientError", (_error: Error, socket: Duplex) => socket.destroy());
  return server;
}

async function forward(
  gate: EgressGate,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { url = "" } = request;
  const [, authority = "", rest = ""] = /^http:\/\/([^/?#]*)([^#]*)$/i.exec(url) ?? [];
  const asked: Asked = {
    via: "http",
    target: parseAuthority(authority, 80),
    shown: authority === "" ? url : authority,
  };
  let upstream: Socket;
  try {
    upstream = await gate.open(asked);
  } catch (error) {
    const { status, text } = refusalOf(error, asked);
    response.writeHead(status, { "content-type": "text/plain" }).end(text);
    return;
  }
  response.once("close", () => upstream.destroy());
  try {
    await exchange(
      upstream,
      request,
      response,
      authority,
      rest.startsWith("/") ? rest : `/${rest}`,
    );
  } catch {
    if (response.headersSent) response.destroy();
    else
      response.writeHead(502, { "content-type": "text/plain" }).end("agentos: it did not answer\n");
  } finally {
    upstream.destroy();
  }
}

async function exchange(
  upstream: Socket,
  request: IncomingMessage,
  response: ServerResponse,
  authority: string,
  path: string,
): Promise<void> {
  const outgoing = nodeHttp.request({
    createConnection: () => upstream,
    method: request.method,
    path,
    headers: ["Host", authority, ...endToEnd(request.rawHeaders, ["host"])],
  });
  if (request.headers["transfer-encoding"] !== undefined)
    outgoing.useChunkedEncodingByDefault = true;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  outgoing.once("response", resolve);
  outgoing.on("error", reject);
  outgoing.once("upgrade", () => reject(new Error("an upgrade that nobody asked for")));
  // A server may answer before it has read everything.
  pipeline(request, outgoing).catch(reject);
  const answer = await promise;
  const { statusCode = 502, statusMessage, rawHeaders } = answer;
  response.writeHead(statusCode, statusMessage, endToEnd(rawHeaders, []));
  await pipeline(answer, response);
}

/** Names and values in turn, without what concerns one connection only. */
function endToEnd(raw: readonly string[], without: readonly string[]): string[] {
  const pairs = Array.from({ length: raw.length / 2 }, (_, index) => [
    raw[2 * index] ?? "",
    raw[2 * index + 1] ?? "",
  ]);
  const listed = pairs
    .filter(([name = ""]) => name.toLowerCase() === "connection")
    .flatMap(([, value = ""]) => value.toLowerCase().split(/[\s,]+/));
  const dropped = new Set([...HOP_BY_HOP, ...listed, ...without]);
  return pairs.filter(([name = ""]) => !dropped.has(name.toLowerCase())).flat();
}

async function connectThrough(
  gate: EgressGate,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  socket.on("error", () => socket.destroy());
  const shown = request.url ?? "";
  const asked: Asked = { via: "connect", target: parseAuthority(shown), shown };
  try {
    const server = await gate.open(asked);
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    if (head.byteLength > 0) socket.unshift(head);
    if (socket.destroyed) server.destroy();
    tunnel(gate, asked, socket, server);
  } catch (error) {
    const { status, reason, text } = refusalOf(error, asked);
    socket.end(answerText(status, reason, text));
  }
}

function refusalOf(
  error: unknown,
  { shown }: Asked,
): { status: number; reason: string; text: string } {
  const isPolicy = error instanceof Refusal && error.kind === "policy";
  const why = error instanceof Error ? error.message : "it failed";
  const text = `agentos: ${JSON.stringify(shown.slice(0, 255))}: ${why}\n`;
  return isPolicy
    ? { status: 403, reason: "Forbidden", text }
    : { status: 502, reason: "Bad Gateway", text };
}

function answerText(status: number, reason: string, text: string): string {
  const head = `HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain\r\nConnection: close\r\n`;
  return `${head}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}
