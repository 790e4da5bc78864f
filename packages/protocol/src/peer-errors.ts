import { AgentOsError } from "./agent-os-error.ts";

/** `CONNECTION_LOST`, with what is known of why. */
export function lost(cause: unknown): AgentOsError {
  const detail = cause instanceof Error ? cause.message : "closed by the peer";
  const message = `the connection was lost: ${detail}`;
  return new AgentOsError("CONNECTION_LOST", message, { reason: detail }, { cause });
}

/** `POOL_EXHAUSTED`: `capacity` requests are under way. */
export function tooMany(capacity: number): AgentOsError {
  const message = `more than ${capacity} requests under way on one connection`;
  return new AgentOsError("POOL_EXHAUSTED", message, { limit: "requests", capacity, waiting: 0 });
}

/** `FRAME_TOO_LARGE`. */
export function tooLarge(what: string, limit: number, actual: number): AgentOsError {
  const message = `${what}: expected at most ${limit} bytes, got ${actual}`;
  return new AgentOsError("FRAME_TOO_LARGE", message, { limit, actual });
}

/** The WebSocket close code that says most of `reason`. */
export function closeCode(reason: AgentOsError): number {
  if (reason.code === "PROTOCOL_ERROR") return 1002;
  if (reason.code === "FRAME_TOO_LARGE") return 1009;
  return reason.code === "INTERNAL" ? 1011 : 1000;
}
