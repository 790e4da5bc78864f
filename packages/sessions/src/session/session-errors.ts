import { AgentOsError } from "@agentos/protocol";

export function sessionClosed(sessionId: string, state: string): AgentOsError<"SESSION_CLOSED"> {
  const message = `session ${sessionId} is ${state}: it takes nothing more`;
  return new AgentOsError("SESSION_CLOSED", message, { sessionId, state });
}

export function sessionBusy(sessionId: string, turnId: string): AgentOsError<"SESSION_BUSY"> {
  const message = `session ${sessionId} is busy with turn ${turnId}`;
  return new AgentOsError("SESSION_BUSY", message, { sessionId, turnId });
}

export function unknownSession(sessionId: string): AgentOsError<"NOT_FOUND"> {
  const message = `no session ${sessionId}`;
  return new AgentOsError("NOT_FOUND", message, { kind: "session", id: sessionId });
}

export function sessionExists(sessionId: string, why: string): AgentOsError<"ALREADY_EXISTS"> {
  const message = `there is a session ${sessionId} already${why}`;
  return new AgentOsError("ALREADY_EXISTS", message, { kind: "session", id: sessionId });
}

export function invalidArgument(
  argument: string,
  expected: string,
  actual: string,
): AgentOsError<"INVALID_ARGUMENT"> {
  const message = `${argument}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
