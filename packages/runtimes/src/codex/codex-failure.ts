import type { AgentEndpoint } from "@agentos/core";
import { AgentOsError, type Json } from "@agentos/protocol";

import type { CodexError } from "./codex-message.ts";

const PROVIDER = "openai";
const STATUS: Readonly<Record<string, number>> = {
  unauthorized: 401,
  badRequest: 400,
  modelNotFound: 404,
  contextWindowExceeded: 400,
  rateLimitExceeded: 429,
  usageLimitExceeded: 429,
};

/** What a failed turn means: what the gateway saw comes before Codex's own words. */
export function codexFailure(
  { message: reason, codexErrorInfo: info }: CodexError,
  endpoint: AgentEndpoint,
): AgentOsError {
  if (endpoint.failure !== undefined) return endpoint.failure;
  const status = statusOf(info);
  if (status === 429) {
    const message = `${PROVIDER}'s rate limit is used up: ${reason}`;
    return new AgentOsError("RATE_LIMITED", message, { provider: PROVIDER, resetAt: null });
  }
  if (status !== undefined && status >= 400 && status < 500) {
    const message = `${PROVIDER} refused the request with ${status}: ${reason}`;
    return new AgentOsError("PROVIDER_REFUSED", message, { provider: PROVIDER, status, reason });
  }
  const details = { provider: PROVIDER, reason, ...(status === undefined ? {} : { status }) };
  return new AgentOsError("PROVIDER_FAILED", `${PROVIDER} failed: ${reason}`, details);
}

function statusOf(info: Json | undefined): number | undefined {
  if (typeof info === "string") return STATUS[info];
  if (typeof info !== "object" || info === null || Array.isArray(info)) return undefined;
  for (const about of Object.values(info)) {
    if (typeof about !== "object" || about === null || Array.isArray(about)) continue;
    const status = about["httpStatusCode"];
    if (typeof status === "number") return status;
  }
  return undefined;
}

export function lostThread(sessionId: string, reason: string): AgentOsError<"RESUME_LOST"> {
  const message = `session ${sessionId} can't be resumed: ${reason}`;
  return new AgentOsError("RESUME_LOST", message, { sessionId, reason });
}
