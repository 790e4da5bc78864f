import { AgentOsError, isAgentOsError } from "@agentos/protocol";

/** A step did not do what it should; another try may. Its message is what people read. */
export class StepFailure extends Error {
  override readonly name = "StepFailure";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function cancelled(what: string): AgentOsError<"CANCELLED"> {
  return new AgentOsError("CANCELLED", `${what} was cancelled`, { operation: what });
}

/** Whether the run itself can't go on: another try would fail the same way. */
export function isFinal(error: unknown): boolean {
  return isAgentOsError(error, "FENCED") || isAgentOsError(error, "VM_ENDED");
}
