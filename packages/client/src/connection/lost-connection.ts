import { AgentOsError, isAgentOsError, type MethodName } from "@agentos/protocol";

import type { Connection } from "./connection.ts";

/** Whether `error` says no more than that `connection` ended under what failed. */
export function isLost(error: unknown, connection: Connection): error is AgentOsError {
  return isAgentOsError(error, "CONNECTION_LOST") && connection.isClosed;
}

/** `CONNECTION_LOST` for what can't be asked for twice. */
export function unknownEffect(method: MethodName, cause: unknown): AgentOsError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `the connection was lost during ${method}: whether it took effect is not known`;
  return new AgentOsError("CONNECTION_LOST", message, { reason }, { cause });
}
