import type { ErrorKind, RateLimit } from "../script/http-fault.ts";
import { STATUS, type ErrorAnswer, type WireError } from "./wire-format.ts";

const TYPES: Readonly<Record<ErrorKind, readonly [type: string, code: string | null]>> = {
  invalid_request: ["invalid_request_error", null],
  authentication: ["invalid_request_error", "invalid_api_key"],
  permission: ["invalid_request_error", "permission_denied"],
  not_found: ["invalid_request_error", "model_not_found"],
  too_large: ["invalid_request_error", "request_too_large"],
  rate_limit: ["requests", "rate_limit_exceeded"],
  server: ["server_error", "server_error"],
  overloaded: ["server_error", "server_is_overloaded"],
  unavailable: ["server_error", "service_unavailable"],
};

/** An error as OpenAI sends it, on both of its interfaces. */
export function openAiError({ kind, message, limit }: WireError): ErrorAnswer {
  const [type, code] = TYPES[kind];
  return {
    status: STATUS[kind],
    headers: limit === undefined ? {} : limitHeaders(limit),
    body: { error: { message, type, param: null, code } },
  };
}

function limitHeaders({ retryAfterSeconds, resetAt, limit }: RateLimit): Record<string, string> {
  const seconds = Math.max(0, (resetAt.getTime() - Date.now()) / 1000);
  return {
    "retry-after": String(retryAfterSeconds),
    "x-ratelimit-limit-requests": String(limit),
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": `${seconds.toFixed(3)}s`,
  };
}
