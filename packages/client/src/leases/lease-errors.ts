import { AgentOsError, isAgentOsError } from "@agentos/protocol";

/** The VM is gone. */
export function vmEnded(vmId: string, reason: string, detail?: string): AgentOsError {
  const more = detail === undefined ? "" : `: ${detail}`;
  return new AgentOsError("VM_ENDED", `VM ${vmId} has ended (${reason})${more}`, { vmId, reason });
}

/** Another holder's takeover. */
export function fenced(scope: { vmId: string; fence: number }, currentFence: number): AgentOsError {
  const text = `another holder took VM ${scope.vmId} over: fence ${scope.fence} is below ${currentFence}`;
  return new AgentOsError("FENCED", text, { ...scope, currentFence });
}

/** The sidecar is gone, and the VM with it. */
export function sidecarLost(sidecarId: string, vmId: string): AgentOsError {
  return new AgentOsError(
    "SIDECAR_LOST",
    `sidecar ${sidecarId}, which hosted VM ${vmId}, is gone`,
    {
      sidecarId,
      vmId,
    },
  );
}

/** Why a lease could not be held on another connection. */
export function whyNotResumed(error: unknown, gone: AgentOsError, vmId: string): AgentOsError {
  if (isAgentOsError(error, "FENCED") || isAgentOsError(error, "VM_ENDED")) return error;
  if (isAgentOsError(error, "NOT_FOUND")) return vmEnded(vmId, "expired");
  return gone;
}

/** A lease that is gone already is what the caller wanted. */
export function ignoreGone(error: unknown): void {
  const gone = ["CONNECTION_LOST", "FENCED", "NOT_FOUND", "SIDECAR_LOST", "VM_ENDED"];
  if (isAgentOsError(error) && gone.includes(error.code)) return;
  throw error;
}
