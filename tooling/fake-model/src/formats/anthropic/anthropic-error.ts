import type { ErrorKind, RateLimit } from "../../script/http-fault.ts";
import { STATUS, type ErrorAnswer, type WireError } from "../wire-format.ts";

const TYPES: Readonly<Record<ErrorKind, string>> = {
  invalid_request: "invalid_request_error",
  authentication: "authentication_error",
  permission: "permission_error",
  not_found: "not_found_error",
  too_large: "request_too_large",
  rate_limit: "rate_limit_error",
  server: "api_error",
  overloaded: "overloaded_error",
  unavailable: "api_error",
};

/** An error as Anthropic sends it. */
export function anthropicError({ kind, message, limit, requestId }: WireError): ErrorAnswer {
  const body = { type: "error", error: { type: TYPES[kind], message }, request_id: requestId };
  return {
    status: kind === "overloaded" ? 529 : STATUS[kind],
    headers: limit === undefined ? {} : limitHeaders(limit),
    body,
  };
}

function limitHeaders({
  retryAfterSeconds,
  resetAt,
  limit,
  claim,
}: RateLimit): Record<string, string> {
  const headers = {
    "retry-after": String(retryAfterSeconds),
    "anthropic-ratelimit-requests-limit": String(limit),
    "anthropic-ratelimit-requests-remaining": "0",
    "anthropic-ratelimit-requests-reset": resetAt.toISOString(),
  };
  if (claim === undefined) return headers;
  return {
    ...headers,
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": String(Math.ceil(resetAt.getTime() / 1000)),
    "anthropic-ratelimit-unified-representative-claim": claim,
  };
}
