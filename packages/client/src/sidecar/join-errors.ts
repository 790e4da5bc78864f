import { AgentOsError, isAgentOsError } from "@agentos/protocol";

/** One error for several: their messages joined with "; ", nothing before or after. A single one stays itself. */
export function joinErrors(errors: readonly unknown[], prefix = ""): AgentOsError {
  const [only] = errors;
  if (errors.length === 1 && prefix === "" && isAgentOsError(only)) return only;
  const message = prefix + errors.map(messageOf).join("; ");
  const cause = new AggregateError(errors);
  return new AgentOsError("INTERNAL", message, { reason: "several disposals failed" }, { cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
