import type { IncomingHttpHeaders } from "node:http";

const CREDENTIALS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "x-api-key",
  "x-goog-api-key",
  "api-key",
]);

interface Split {
  readonly headers: Record<string, string>;
  readonly query: Record<string, string>;
  readonly credentials: Record<string, string>;
}

/** Takes the keys out of a request, so that a test can search the rest for them. */
export function splitCredentials(all: IncomingHttpHeaders, search: URLSearchParams): Split {
  const split: Split = { headers: {}, query: {}, credentials: {} };
  for (const [name, value] of Object.entries(all)) {
    if (value === undefined) continue;
    const target = CREDENTIALS.has(name) ? split.credentials : split.headers;
    target[name] = typeof value === "string" ? value : value.join(", ");
  }
  for (const [name, value] of search) {
    if (name === "key") split.credentials["?key"] = value;
    else split.query[name] = value;
  }
  return split;
}
