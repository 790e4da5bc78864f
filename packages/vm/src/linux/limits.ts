import type { VmHandle, VmRequest } from "@agentos/core";
import { AgentOsError, DEFAULTS, type Enforcement, type LimitName } from "@agentos/protocol";

/** What holds without cgroups: the rest is promised by nobody. */
export const LINUX_LIMITS: Readonly<Record<LimitName, Enforcement>> = {
  memoryBytes: "none",
  cpus: "none",
  pids: "hard",
  diskBytes: "hard",
  openFiles: "hard",
  wallMs: "hard",
};

const LIMIT_REASONS: Readonly<Partial<Record<LimitName, string>>> = {
  memoryBytes: "it takes a cgroup, and this driver joins none",
  cpus: "it takes a cgroup, and this driver joins none",
};

/** Refuses with `UNSUPPORTED_LIMIT` what is required and not hard. */
export function checkRequiredLimits(required: readonly LimitName[]): void {
  for (const limit of required) {
    const offered = LINUX_LIMITS[limit];
    if (offered === "hard") continue;
    const reason = LIMIT_REASONS[limit] ?? "it can't be enforced here";
    throw new AgentOsError(
      "UNSUPPORTED_LIMIT",
      `expected a hard limit on ${limit}, the linux driver offers ${offered}: ${reason}`,
      { limit, offered, reason },
    );
  }
}

/** Each limit of the request with how far it holds. */
export function limitStates(limits: VmRequest["limits"]): VmHandle["limits"] {
  const state = (name: LimitName, standard: number | null): VmHandle["limits"][LimitName] => ({
    value: limits[name] ?? standard,
    enforcement: LINUX_LIMITS[name],
  });
  return {
    memoryBytes: state("memoryBytes", null),
    cpus: state("cpus", null),
    pids: state("pids", DEFAULTS.pids),
    diskBytes: state("diskBytes", DEFAULTS.diskBytes),
    openFiles: state("openFiles", DEFAULTS.openFiles),
    wallMs: state("wallMs", null),
  };
}
