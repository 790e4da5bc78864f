import type { ErrorKind } from "../../script/http-fault.ts";
import { STATUS, type ErrorAnswer, type WireError } from "../wire-format.ts";

const STATUSES: Readonly<Record<ErrorKind, string>> = {
  invalid_request: "INVALID_ARGUMENT",
  authentication: "UNAUTHENTICATED",
  permission: "PERMISSION_DENIED",
  not_found: "NOT_FOUND",
  too_large: "INVALID_ARGUMENT",
  rate_limit: "RESOURCE_EXHAUSTED",
  server: "INTERNAL",
  overloaded: "UNAVAILABLE",
  unavailable: "UNAVAILABLE",
};

/** An error as Google's interfaces send it. */
export function geminiError({ kind, message, limit }: WireError): ErrorAnswer {
  const code = STATUS[kind];
  const error = { code, message, status: STATUSES[kind] };
  if (limit === undefined) return { status: code, headers: {}, body: { error } };
  const seconds = limit.retryAfterSeconds;
  const retry = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${seconds}s` };
  return {
    status: code,
    headers: { "retry-after": String(seconds) },
    body: { error: { ...error, details: [retry] } },
  };
}
