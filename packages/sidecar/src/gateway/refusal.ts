import type { ServerResponse } from "node:http";

import type { ModelApi } from "@agentos/core";
import type { AgentOsError } from "@agentos/protocol";

/** Why the gateway itself answers, in place of the provider. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 429 | 502 | 503 | 504;
  readonly message: string;
  /** Asking again, soon, may help. */
  readonly isRetryable?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The words of each provider for a status; what it has none for is an invalid request. */
const ANTHROPIC: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  502: "api_error",
  503: "overloaded_error",
  504: "timeout_error",
};
const OPENAI: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
  502: "server_error",
  503: "server_error",
  504: "server_error",
};
const GEMINI: Readonly<Record<number, string>> = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  502: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** Answers as the provider would, so that every client understands it, and says to their SDKs whether to try again. */
export function refuse(response: ServerResponse, api: ModelApi, refusal: Refusal): void {
  const { status, isRetryable = false, headers = {} } = refusal;
  const body = JSON.stringify(bodyOf(api, refusal));
  response.writeHead(status, {
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-should-retry": String(isRetryable),
    // What of the request was not read is nobody's.
    ...(response.req.complete ? {} : { connection: "close" }),
  });
  response.end(body);
}

/** How the guest is told why the session may not call its model. */
export function refusalOf(error: AgentOsError): Refusal {
  const { code, message } = error;
  if (code === "BUDGET_EXHAUSTED") return { status: 403, message };
  if (code === "POOL_EXHAUSTED") {
    return { status: 429, message, isRetryable: true, headers: { "retry-after": "1" } };
  }
  return { status: 403, message };
}

function bodyOf(api: ModelApi, { status, message }: Refusal): object {
  if (api === "anthropic") {
    const type = ANTHROPIC[status] ?? "invalid_request_error";
    return { type: "error", error: { type, message }, request_id: null };
  }
  if (api === "gemini") {
    return { error: { code: status, message, status: GEMINI[status] ?? "INVALID_ARGUMENT" } };
  }
  const type = OPENAI[status] ?? "invalid_request_error";
  return { error: { message, type, param: null, code: null } };
}
