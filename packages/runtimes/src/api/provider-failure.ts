import { AgentOsError } from "@agentos/protocol";
import * as z from "zod";

import type { KeyRedactor } from "./key-redactor.ts";
import { rateLimitReset } from "./rate-limit-reset.ts";

/** What SDKs throw, and what providers send in the middle of a stream, as far as it is used. */
const Failure = z.object({
  message: z.string().optional().catch(undefined),
  statusCode: z.int().optional().catch(undefined),
  responseHeaders: z.record(z.string(), z.string()).optional().catch(undefined),
  responseBody: z.string().optional().catch(undefined),
  type: z.string().optional().catch(undefined),
  code: z.union([z.string(), z.number()]).nullish().catch(undefined),
  cause: z.unknown().optional(),
  error: z.unknown().optional(),
});
type Failure = z.infer<typeof Failure>;

/** Characters of a provider's own words in an error. */
const MAX_REASON = 1_000;

/** Words of providers for a failure that has no status. */
const KINDS: readonly (readonly [pattern: RegExp, status: number])[] = [
  [/rate_limit|resource_exhausted/i, 429],
  [/authentication|unauthenticated|invalid_api_key/i, 401],
  [/permission/i, 403],
  [/invalid_request|invalid_argument|invalid_prompt|context_length/i, 400],
  [/not_found/i, 404],
];

/**
 * What a provider's failure means: `RATE_LIMITED`, `PROVIDER_REFUSED` where the same again would be refused
 * again, else `PROVIDER_FAILED`. The key is in none of them.
 */
export function providerFailure(
  error: unknown,
  provider: string,
  redactor: KeyRedactor,
): AgentOsError {
  if (error instanceof AgentOsError) return error;
  const failure = unwrapped(error);
  const reason = redactor.text(reasonOf(failure)).slice(0, MAX_REASON);
  const body = failure.responseBody ?? "";
  const status = failure.statusCode ?? statusOf(failure);
  if (status === 429 && !/insufficient_quota|billing/i.test(`${failure.code} ${body}`)) {
    const resetAt = rateLimitReset(failure.responseHeaders ?? {}, body);
    const when = resetAt === null ? "" : ` until ${resetAt}`;
    const message = `${provider}'s rate limit is used up${when}: ${reason}`;
    return new AgentOsError("RATE_LIMITED", message, { provider, resetAt });
  }
  if (status !== undefined && isRefusal(status)) {
    const message = `${provider} refused the request with ${status}: ${reason}`;
    return new AgentOsError("PROVIDER_REFUSED", message, { provider, status, reason });
  }
  const told = status === undefined ? "" : ` with ${status}`;
  const details = { provider, reason, ...(status === undefined ? {} : { status }) };
  return new AgentOsError("PROVIDER_FAILED", `${provider} failed${told}: ${reason}`, details);
}

/** The innermost error of a chain that says something of the provider's answer. */
function unwrapped(error: unknown): Failure {
  let failure = Failure.parse(asObject(error));
  for (let depth = 0; depth < 4 && failure.statusCode === undefined; depth += 1) {
    const inner = failure.error ?? undefined;
    if (typeof inner !== "object") break;
    failure = { ...failure, ...Failure.parse(inner) };
  }
  return failure;
}

function asObject(error: unknown): object {
  return typeof error === "object" && error !== null ? error : { message: String(error) };
}

function reasonOf({ message, cause, type }: Failure): string {
  const because = cause instanceof Error && cause.message !== message ? `: ${cause.message}` : "";
  return `${message ?? type ?? "no reason was given"}${because}`;
}

function statusOf({ type, code, message }: Failure): number | undefined {
  if (typeof code === "number" && code >= 400) return code;
  const words = `${type ?? ""} ${code ?? ""} ${message ?? ""}`;
  return KINDS.find(([pattern]) => pattern.test(words))?.[1];
}

/** A time-out or a conflict may be gone the next time. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 409;
}
