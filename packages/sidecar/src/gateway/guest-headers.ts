import type { IncomingHttpHeaders } from "node:http";

/** Where clients put a key. */
const KEY_HEADERS = ["x-api-key", "x-goog-api-key", "api-key"] as const;

/** Every credential of a request, in every form that clients know. One that has no such form is there as it came. */
export function guestCredentials(
  headers: IncomingHttpHeaders,
  queryKeys: readonly string[],
): string[] {
  const { authorization } = headers;
  const bearer = authorization === undefined ? [] : [authorization.replace(/^Bearer +/i, "")];
  const keys = KEY_HEADERS.flatMap((name) => headers[name] ?? []);
  return [...bearer, ...keys, ...queryKeys];
}

/** What of a guest's headers a provider is told. Not in the list: credentials, accounts, cookies, routes, and whatever nobody knows yet. */
const TOLD = new Set([
  "accept",
  "anthropic-beta",
  "anthropic-version",
  "content-length",
  "content-type",
  "openai-beta",
  "originator",
  "user-agent",
  "version",
  "x-app",
  "x-goog-api-client",
]);
const TOLD_PREFIXES = ["x-stainless-"];

/** The headers that go on to the provider, but for its credential. */
export function toldHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const told: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    if (TOLD.has(name) || TOLD_PREFIXES.some((prefix) => name.startsWith(prefix))) {
      told[name] = value;
    }
  }
  // The figures are read as they pass.
  return { ...told, "accept-encoding": "identity" };
}

/** What of a provider's headers is its connection's, or says whose account it is. */
const KEPT_BACK = new Set([
  "anthropic-organization-id",
  "connection",
  "keep-alive",
  "openai-organization",
  "openai-project",
  "proxy-authenticate",
  "proxy-authorization",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The headers of an answer as the guest sees them. */
export function shownHeaders(
  headers: IncomingHttpHeaders,
  mask: (text: string) => string,
): Record<string, string | string[]> {
  const shown: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || KEPT_BACK.has(name)) continue;
    shown[name] = typeof value === "string" ? mask(value) : value.map(mask);
  }
  return shown;
}
