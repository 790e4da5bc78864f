import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { connect as connectTls } from "node:tls";
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from "node:zlib";

import type { SessionEgress } from "@agentos/core";
import { AgentOsError, isAgentOsError, nodeHttp } from "@agentos/protocol";

const MAX_REDIRECTS = 10;
const HEADER_BYTES = 64 * 1024;
const REDIRECTS: readonly (number | undefined)[] = [301, 302, 303, 307, 308];

export interface HttpAnswer {
  /** Where the redirects led to. */
  readonly url: URL;
  readonly status: number;
  /** Lower-case, without parameters; "" where the server names none. */
  readonly mediaType: string;
  readonly charset: string | undefined;
  /** Decompressed. Destroy it where the rest is of no use. */
  readonly body: Readable;
}

/**
 * GETs an address through a VM's egress; each redirect goes through it again. Rejects as `connect` does, or
 * with `INVALID_ARGUMENT` for a redirect to what is no web address, or `HOST_UNREACHABLE` for a bad answer.
 */
export async function httpGet(
  egress: () => SessionEgress,
  from: URL,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  let url = from;
  for (let redirects = 0; ; redirects += 1) {
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    const answer = await getOnce(egress(), url, signal);
    const { location } = answer.headers;
    if (!REDIRECTS.includes(answer.statusCode) || location === undefined)
      return answerOf(answer, url);
    answer.destroy();
    if (redirects >= MAX_REDIRECTS)
      throw failed(url, `it redirects more than ${MAX_REDIRECTS} times`);
    url = webAddress(location, "a redirect", url);
  }
}

/** Throws `INVALID_ARGUMENT` for what is no address of http or https, or has a name and password in it. */
export function webAddress(text: string, argument: string, base?: URL): URL {
  const url = URL.parse(text, base);
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  if (url !== null && isWeb && url.username === "" && url.password === "") return url;
  const expected = "an http or https URL without a user in it";
  const actual = JSON.stringify(text.slice(0, 256));
  const message = `${argument}: expected ${expected}, got ${actual}`;
  throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}

/** The host and port of an address. */
export function placeOf({ hostname, port, protocol }: URL): { host: string; port: number } {
  const usual = protocol === "https:" ? 443 : 80;
  return { host: hostname, port: port === "" ? usual : Number(port) };
}

async function getOnce(
  egress: SessionEgress,
  url: URL,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { host, port } = placeOf(url);
  const tcp = await egress.connect(host, port, { signal });
  // A handshake has no end of its own.
  const abort = (): void => void tcp.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const socket = url.protocol === "https:" ? await secured(tcp, host) : tcp;
    return await exchange(socket, url, signal);
  } catch (error) {
    tcp.destroy();
    signal.throwIfAborted();
    throw isAgentOsError(error) ? error : failed(url, reasonOf(error));
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function secured(tcp: Duplex, host: string): Promise<Duplex> {
  const name = host.replace(/^\[|\]$/g, "");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connectTls({
    socket: tcp,
    host: name,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ALPNProtocols: ["http/1.1"],
  });
  socket.once("secureConnect", resolve);
  socket.on("error", reject);
  socket.once("close", () => reject(new Error("it closed the connection")));
  await promise;
  return socket;
}

async function exchange(socket: Duplex, url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = nodeHttp.request({
    createConnection: () => socket,
    path: `${url.pathname}${url.search}`,
    headers: {
      host: url.host,
      accept: "text/html, text/plain;q=0.9, */*;q=0.5",
      "accept-encoding": "gzip, br",
      "user-agent": "agentos",
      connection: "close",
    },
    maxHeaderSize: HEADER_BYTES,
    signal,
  });
  request.once("response", resolve);
  request.on("error", reject);
  request.once("upgrade", () => reject(new Error("it switches protocols")));
  request.end();
  return await promise;
}

function answerOf(message: IncomingMessage, url: URL): HttpAnswer {
  const [type = "", ...parameters] = (message.headers["content-type"] ?? "").split(";");
  const charset = parameters
    .map((parameter) => /^\s*charset=["']?([\w.:-]+)/i.exec(parameter)?.[1])
    .find((found) => found !== undefined);
  const { statusCode: status = 0 } = message;
  const body = decoded(message);
  return { url, status, mediaType: type.trim().toLowerCase(), charset, body };
}

const DECODERS: Readonly<Record<string, () => ReturnType<typeof createGunzip>>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

function decoded(message: IncomingMessage): Readable {
  const encoding = message.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
  const decoder = DECODERS[encoding]?.();
  if (decoder === undefined) return message;
  message.once("error", (error) => decoder.destroy(error));
  decoder.once("close", () => message.destroy());
  return message.pipe(decoder);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "it failed";
  // OpenSSL's own message has its addresses and files in it.
  const said = "reason" in error ? String(error.reason) : error.message;
  return "code" in error ? `${String(error.code)}: ${said}` : said;
}

function failed(url: URL, reason: string): AgentOsError {
  const { host, port } = placeOf(url);
  const message = `${url.href} can't be read: ${reason}`;
  return new AgentOsError("HOST_UNREACHABLE", message, { host, port, reason });
}
