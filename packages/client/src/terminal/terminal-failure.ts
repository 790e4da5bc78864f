import { AgentOsError, isAgentOsError } from "@agentos/protocol";

/** The step that a VM names when a terminal was closed under its attachments. */
const RELEASED_STEP = "released";

/** Why an attachment broke, in the user's words. */
export function terminalFailure(id: string, reason: unknown): unknown {
  const isClosed =
    isAgentOsError(reason, "FILE_SYSTEM") && reason.details.syscall === RELEASED_STEP;
  return isClosed ? closedTerminal(id, "was closed") : reason;
}

/** It is not this program's to use any more. */
export function closedTerminal(id: string, how: string): AgentOsError<"DISPOSED"> {
  return new AgentOsError("DISPOSED", `terminal ${id} ${how}`, { kind: "terminal", id });
}

/** As a write to a terminal that was hung up. */
export function hungUp(): AgentOsError<"FILE_SYSTEM"> {
  return new AgentOsError("FILE_SYSTEM", "EIO: the terminal has ended, write", {
    errno: "EIO",
    syscall: "write",
  });
}
