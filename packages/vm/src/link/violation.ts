import { AgentOsError } from "@agentos/protocol";

/** The peer broke docs/vmd-link.md; whoever catches it ends the link. */
export function violation(reason: string): AgentOsError<"PROTOCOL_ERROR"> {
  return new AgentOsError("PROTOCOL_ERROR", `the VM's link: ${reason}`, { reason });
}
