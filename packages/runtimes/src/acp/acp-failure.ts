import { AgentOsError, type Json } from "@agentos/protocol";

import type { LinePeerError } from "../agent-process/line-peer.ts";

/** The agent's own codes: it wants a login. */
const AUTH_REQUIRED = -32_000;

/** What a failed prompt means, where the gateway has seen nothing of it. */
export function acpFailure(agent: string, error: LinePeerError): AgentOsError {
  const reason = error.message;
  const status = statusOf(error);
  if (status === 429 || kindOf(error.data) === "rate_limit") {
    const message = `${agent}: the model's rate limit is used up: ${reason}`;
    return new AgentOsError("RATE_LIMITED", message, { provider: agent, resetAt: null });
  }
  if (status !== undefined && status >= 400 && status < 500) {
    const message = `${agent}: the model refused the request with ${status}: ${reason}`;
    return new AgentOsError("PROVIDER_REFUSED", message, { provider: agent, status, reason });
  }
  const details = { provider: agent, reason, ...(status === undefined ? {} : { status }) };
  return new AgentOsError("PROVIDER_FAILED", `${agent} failed: ${reason}`, details);
}

export function lostSession(
  sessionId: string,
  reason: string,
  cause?: unknown,
): AgentOsError<"RESUME_LOST"> {
  const message = `session ${sessionId} can't be resumed: ${reason}`;
  return new AgentOsError("RESUME_LOST", message, { sessionId, reason }, { cause });
}

/** Why a conversation could not be opened, in the agent's words. */
export function reasonOf({ message, data }: LinePeerError): string {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return message;
  const { details } = data;
  return typeof details === "string" ? `${message}: ${details}` : message;
}

export function noModes(agent: string): AgentOsError<"UNSUPPORTED"> {
  const what = `another mode of ${agent}`;
  return new AgentOsError("UNSUPPORTED", `${what} can't be had`, { what });
}

export function wrongVersion(
  agent: string,
  expected: number,
  actual: number,
): AgentOsError<"PROTOCOL_ERROR"> {
  const reason = `${agent}: expected version ${expected} of ACP, got ${actual}`;
  return new AgentOsError("PROTOCOL_ERROR", reason, { reason });
}

export function noSession(agent: string): AgentOsError<"PROTOCOL_ERROR"> {
  const reason = `${agent}: expected a sessionId in answer to session/new, got none`;
  return new AgentOsError("PROTOCOL_ERROR", reason, { reason });
}

/** Gemini's codes are HTTP's; others say it in their data. */
function statusOf({ code, data }: LinePeerError): number | undefined {
  if (code >= 400 && code < 600) return code;
  if (code === AUTH_REQUIRED) return 401;
  if (typeof data !== "object" || data === null || Array.isArray(data)) return undefined;
  for (const name of ["status", "statusCode", "httpStatus", "http_status_code"]) {
    const value = data[name];
    if (typeof value === "number") return value;
  }
  return undefined;
}

function kindOf(data: Json | undefined): string | undefined {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return undefined;
  const kind = data["errorKind"];
  return typeof kind === "string" ? kind : undefined;
}
