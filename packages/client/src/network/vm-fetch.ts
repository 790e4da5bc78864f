import type { ClientRequest, IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";

import { AgentOsError, nodeHttp, parseArgument } from "@agentos/protocol";
import * as z from "zod";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { cancelled } from "../race-signal.ts";
import { type FetchInit, parsePort } from "./network-options.ts";
import { connectTo } from "./vm-connection.ts";

/** Statuses whose responses have no body. */
const WITHOUT_BODY = new Set([101, 103, 204, 205, 304]);

/** One exchange with an HTTP server in the VM, on a connection of its own. */
export async function fetchFrom(
  admin: VmAdmin,
  port: number,
  target: string | URL | Request,
  init: FetchInit,
): Promise<Response> {
  const request = requestOf(parsePort(port), target, init);
  const { signal } = request;
  const socket = await connectTo(admin, port, { signal });
  const url = new URL(request.url);
  const outgoing = nodeHttp.request({
    createConnection: () => socket,
    method: request.method,
    path: `${url.pathname}${url.search}`,
    headers: headersOf(request, url, init),
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  outgoing.on("response", resolve);
  outgoing.on("error", (error) => reject(notAnswered(admin.vmId, port, error)));
  // What this offers instead is a connection of its own.
  outgoing.on("upgrade", () => reject(upgraded(port)));
  const abort = (): void => {
    reject(cancelled("fetch", signal.reason));
    socket.destroy();
  };
  signal.addEventListener("abort", abort, { once: true });
  socket.once("close", () => signal.removeEventListener("abort", abort));
  if (signal.aborted) abort();
  try {
    send(request, outgoing, reject);
    return responseOf(await promise);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function requestOf(port: number, target: string | URL | Request, init: FetchInit): Request {
  const isPath = typeof target === "string" && target.startsWith("/");
  const input = isPath ? `http://localhost:${port}${target}` : target;
  const half = init.body instanceof ReadableStream ? { duplex: "half" as const } : {};
  const { method, headers, body, signal } = init;
  const options = {
    ...(method === undefined ? {} : { method }),
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
    ...half,
  };
  try {
    const request = new Request(input, options);
    parseArgument(Target, new URL(request.url).protocol, "request");
    return request;
  } catch (error) {
    if (error instanceof AgentOsError) throw error;
    throw invalidRequest(error);
  }
}

const Target = z.literal("http:", { error: "expected a path or a URL that begins with http://" });

function headersOf(request: Request, url: URL, { body }: FetchInit): Record<string, string> {
  const headers = Object.fromEntries(request.headers);
  // Not every server takes a body whose length it is not told.
  const length = typeof body === "string" ? Buffer.byteLength(body) : undefined;
  const bytes = length ?? (ArrayBuffer.isView(body) ? body.byteLength : undefined);
  return {
    ...(bytes === undefined ? {} : { "content-length": String(bytes) }),
    ...headers,
    host: headers["host"] ?? url.host,
  };
}

function send(request: Request, outgoing: ClientRequest, fail: (error: unknown) => void): void {
  if (request.body === null) {
    outgoing.end();
    return;
  }
  pipeline(request.body, outgoing).catch((error: unknown) => {
    // A server may answer, and close, before it has read everything.
    fail(error);
  });
}

function responseOf(incoming: IncomingMessage): Response {
  const headers = new Headers();
  const { rawHeaders, statusCode = 502, statusMessage = "" } = incoming;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  }
  const hasBody = !WITHOUT_BODY.has(statusCode);
  if (!hasBody) incoming.resume();
  const body = hasBody ? webStreamOf(incoming) : null;
  return new Response(body, { status: statusCode, statusText: statusMessage, headers });
}

/** Bytes as they are asked for: what nobody reads waits in the VM. */
function webStreamOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = incoming[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(new Uint8Array(value));
      },
      cancel: () => void incoming.destroy(),
    },
    { highWaterMark: 0 },
  );
}

function notAnswered(vmId: string, port: number, cause: Error): AgentOsError {
  if (cause instanceof AgentOsError) return cause;
  const message = `the program at port ${port} of VM ${vmId} did not answer: ${cause.message}`;
  return new AgentOsError("PORT_CLOSED", message, { vmId, port: String(port) }, { cause });
}

function upgraded(port: number): AgentOsError<"UNSUPPORTED"> {
  const instead = `os.connect(${port}), and a WebSocket over its stream`;
  const message = `the server switched protocols, which fetch can't follow: use ${instead}`;
  return new AgentOsError("UNSUPPORTED", message, { what: "an upgrade within fetch", instead });
}

function invalidRequest(cause: unknown): AgentOsError<"INVALID_ARGUMENT"> {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const details = { argument: "request", expected: "a path, a URL or a Request", actual: reason };
  return new AgentOsError("INVALID_ARGUMENT", `request: ${reason}`, details, { cause });
}
