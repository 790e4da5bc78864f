import { AgentOsError } from "@agentos/protocol";

import type { Failure } from "../../link/failure.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "there is no room for its files",
  EDQUOT: "there is no room for its files",
  ELOOP: "its directories are nested too deep",
  ESRCH: "it has ended",
  ENOTSUP: "its spawner is of an earlier version",
  EPIPE: "what takes it has ended",
};

/** A snapshot that was not taken. No host path goes into it. */
export function snapshotFailed(
  vmId: string,
  { errno, step }: Failure,
): AgentOsError<"SNAPSHOT_FAILED"> {
  const reason = `${REASONS[errno.name] ?? step} (${errno.name})`;
  return new AgentOsError("SNAPSHOT_FAILED", `no snapshot of VM ${vmId} was taken: ${reason}`, {
    vmId,
    reason,
  });
}
