import { AgentOsError, isAgentOsError } from "@agentos/protocol";

/** One life of a sidecar. */
interface Life {
  readonly sidecarId: string;
  readonly epoch: number;
}

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

/** The user gave it back. */
export function disposed(vmId: string): AgentOsError {
  return new AgentOsError("DISPOSED", `VM ${vmId} has been disposed`, { kind: "vm", id: vmId });
}

/** Why a lease that was held on `first` could not be held on `next`. */
export function whyNotResumed(
  error: unknown,
  { first, next, vmId }: { first: Life; next: Life; vmId: string },
): AgentOsError {
  if (isAgentOsError(error, "FENCED")) return error;
  const gone = sidecarLost(first.sidecarId, vmId);
  // A later life of the sidecar did not get the VM from the one that hosted it.
  if (next.epoch !== first.epoch) return gone;
  if (isAgentOsError(error, "VM_ENDED")) return error;
  return isAgentOsError(error, "NOT_FOUND") ? vmEnded(vmId, "expired") : gone;
}

/** A lease that is gone already is what the caller wanted. */
export function ignoreGone(error: unknown): void {
  const gone = ["CONNECTION_LOST", "FENCED", "NOT_FOUND", "SIDECAR_LOST", "VM_ENDED"];
  if (isAgentOsError(error) && gone.includes(error.code)) return;
  throw error;
}
