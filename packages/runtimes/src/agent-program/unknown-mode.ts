import type { AgentModes } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

/** Throws `INVALID_ARGUMENT` for a mode that the agent has not. */
export function assertMode(agent: string, { available }: AgentModes, mode: string): void {
  if (available.some(({ id }) => id === mode)) return;
  throw unknownMode(agent, mode, available.map(({ id }) => id).join(", ") || "none");
}

export function unknownMode(
  agent: string,
  actual: string,
  expected: string,
): AgentOsError<"INVALID_ARGUMENT"> {
  const argument = "mode";
  const message = `${argument}: expected one of ${agent}'s (${expected}), got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
