import type { IncomingMessage } from "node:http";

import type { ListenAddress } from "@agentos/protocol";

import type { ApiKey, ApiKeys } from "../keys/api-keys.ts";

/** Why a request goes no further, as HTTP says it. */
export interface Refusal {
  status: 400 | 401 | 404 | 421;
  reason: string;
}

const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/** Addresses that no other machine can reach. */
export function isLoopback(host: string): boolean {
  return host === "127.0.0.1" || host === "::1" || host === "localhost";
}

/**
 * Who asks, or why not. The token alone decides: an Origin proves nothing, and a foreign one with a valid token is a
 * client that was given the token. Checked on every request, before anything is made for it.
 */
export function authorize(
  request: IncomingMessage,
  listen: ListenAddress,
  keys: ApiKeys,
): ApiKey | Refusal {
  const hosts = valuesOf(request, "host");
  if (hosts.length !== 1 || !isAllowedHost(hosts[0] ?? "", listen)) {
    return { status: 421, reason: "the Host header is not one of this sidecar's" };
  }
  const tokens = valuesOf(request, "authorization");
  const token = tokens.length === 1 ? bearerOf(tokens[0] ?? "") : undefined;
  const key = token === undefined ? undefined : keys.verify(token);
  if (key === undefined)
    return { status: 401, reason: "a valid API key is needed as bearer token" };
  if (request.url?.includes("?") !== false) {
    // Addresses end up in logs and histories: nothing in them may be a secret.
    return { status: 400, reason: "no query is taken" };
  }
  return key;
}

function isAllowedHost(host: string, listen: ListenAddress): boolean {
  const name = host.toLowerCase();
  if (listen.kind === "unix") return name === "localhost";
  return LOOPBACK_HOSTS.some((allowed) => name === allowed || name === `${allowed}:${listen.port}`);
}

function bearerOf(header: string): string | undefined {
  return /^Bearer ([A-Za-z0-9_-]{16,128})$/i.exec(header)?.[1];
}

/** Every value that was sent: Node's own `headers` hides repeated ones. */
function valuesOf({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name,
  );
}
