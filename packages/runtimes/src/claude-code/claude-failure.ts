import type { AgentEndpoint } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import type { ClaudeResult } from "./claude-line.ts";

const PROVIDER = "anthropic";

/** What a result that says it went wrong means: what the gateway saw comes before Claude Code's own words. */
export function claudeFailure(
  { api_error_status: status, result, errors, terminal_reason: how }: ClaudeResult,
  endpoint: AgentEndpoint,
): AgentOsError {
  const reason = (result ?? errors?.join("; ") ?? how ?? "no reason was given").slice(0, 1_000);
  if (endpoint.failure !== undefined) return endpoint.failure;
  if (status === 429) {
    const message = `${PROVIDER}'s rate limit is used up: ${reason}`;
    return new AgentOsError("RATE_LIMITED", message, { provider: PROVIDER, resetAt: null });
  }
  if (status !== undefined && status !== null && status >= 400 && status < 500) {
    const message = `${PROVIDER} refused the request with ${status}: ${reason}`;
    return new AgentOsError("PROVIDER_REFUSED", message, { provider: PROVIDER, status, reason });
  }
  const details = { provider: PROVIDER, reason, ...(status == null ? {} : { status }) };
  return new AgentOsError("PROVIDER_FAILED", `${PROVIDER} failed: ${reason}`, details);
}

const LOST = /No conversation found with session ID/;

/** Undefined where nothing says that Claude Code has lost the conversation. */
export function lostSession(
  sessionId: string,
  said: readonly string[],
): AgentOsError<"RESUME_LOST"> | undefined {
  const line = said.find((each) => LOST.test(each));
  if (line === undefined) return undefined;
  const message = `session ${sessionId} can't be resumed: ${line}`;
  return new AgentOsError("RESUME_LOST", message, { sessionId, reason: line });
}
