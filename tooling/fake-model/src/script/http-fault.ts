/** What went wrong, in one word for all formats; each format writes its own. */
export type ErrorKind =
  | "invalid_request"
  | "authentication"
  | "permission"
  | "not_found"
  | "too_large"
  | "rate_limit"
  | "server"
  | "overloaded"
  | "unavailable";

/** A request that gets no answer of the model. */
export type HttpFault = StatusFault | { readonly type: "reset" | "hang" } | BodyFault;

/** An error in the provider's own form. */
interface StatusFault {
  readonly type: "status";
  readonly kind: ErrorKind;
  /** By default the one that the provider uses for `kind`. */
  readonly status?: number;
  readonly message: string;
  readonly limit?: RateLimit;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Any status with any body: a proxy's error page, say. */
interface BodyFault {
  readonly type: "body";
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What a rate limit's headers say. */
export interface RateLimit {
  readonly retryAfterSeconds: number;
  readonly resetAt: Date;
  readonly limit: number;
  /** Which window of a subscription is used up; Anthropic's `unified` headers. */
  readonly claim?: string;
}

/** 429. `retryAfterSeconds` is 1 by default, `resetAt` that long from now. */
export function rateLimit(options: Partial<RateLimit> & { message?: string } = {}): StatusFault {
  const { message = "the scripted rate limit is used up", retryAfterSeconds = 1 } = options;
  const resetAt = options.resetAt ?? new Date(Date.now() + retryAfterSeconds * 1000);
  const limit = { limit: 50, ...options, retryAfterSeconds, resetAt };
  return { type: "status", kind: "rate_limit", message, limit };
}

/** 529 from Anthropic, 503 from the others. */
export function overloaded(message = "the scripted model is overloaded"): StatusFault {
  return { type: "status", kind: "overloaded", message };
}

/** 503. */
export function unavailable(message = "the scripted model is unavailable"): StatusFault {
  return { type: "status", kind: "unavailable", message };
}

/** 500. */
export function serverError(message = "scripted server error"): StatusFault {
  return { type: "status", kind: "server", message };
}

/** 401. */
export function unauthorized(message = "invalid key"): StatusFault {
  return { type: "status", kind: "authentication", message };
}

/** 400. */
export function badRequest(message = "scripted bad request"): StatusFault {
  return { type: "status", kind: "invalid_request", message };
}

/** 404: no such model. */
export function unknownModel(message = "no such model"): StatusFault {
  return { type: "status", kind: "not_found", message };
}

/** The connection is reset before any header. */
export function reset(): HttpFault {
  return { type: "reset" };
}

/** Nothing is answered, until the client closes. */
export function hang(): HttpFault {
  return { type: "hang" };
}

/** Any status, content type and body. */
export function httpBody(status: number, contentType: string, body: string): HttpFault {
  return { type: "body", status, contentType, body };
}
