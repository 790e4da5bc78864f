import type { VmHandle, VmRequest } from "@agentos/core";
import { AgentOsError, DEFAULTS, type Enforcement, type DriverLimitName } from "@agentos/protocol";

const MIB = 1024 * 1024;

/** The JavaScript heap of a worker, for all its VMs together. Files are not in it. */
export const WORKER_HEAP_BYTES = 512 * MIB;
/** The most that a VM's files may hold: they are in the sidecar's memory. */
const MOST_DISK_BYTES = 256 * MIB;
/** A file of its own for each so many bytes, as on a small disk. */
const BYTES_PER_NODE = 4096;

/** How far each limit holds, everywhere. */
export const VIRTUAL_LIMITS: Readonly<Record<DriverLimitName, Enforcement>> = {
  memoryBytes: "soft",
  cpus: "none",
  pids: "hard",
  diskBytes: "hard",
  openFiles: "hard",
  watches: "none",
  wallMs: "hard",
};

const REASONS: Readonly<Partial<Record<DriverLimitName, string>>> = {
  memoryBytes: "the VMs of a worker thread share its heap",
  cpus: "the VMs of a worker thread share its processor",
  watches: "it has no watches",
};

/** Refuses with `UNSUPPORTED_LIMIT` what is required and not hard. */
export function checkVirtualLimits(required: readonly DriverLimitName[]): void {
  for (const limit of required) {
    const offered = VIRTUAL_LIMITS[limit];
    if (offered === "hard") continue;
    const reason = REASONS[limit] ?? "nothing holds it";
    const message = `expected a hard limit on ${limit}, the virtual driver offers ${offered}: ${reason}`;
    throw new AgentOsError("UNSUPPORTED_LIMIT", message, { limit, offered, reason });
  }
}

/** Each limit of the request as it will hold. */
export function virtualLimits(limits: VmRequest["limits"]): VmHandle["limits"] {
  const { memoryBytes = DEFAULTS.memoryBytes, diskBytes = DEFAULTS.diskBytes } = limits;
  return {
    memoryBytes: state("memoryBytes", Math.min(memoryBytes, WORKER_HEAP_BYTES)),
    cpus: state("cpus", limits.cpus ?? null),
    pids: state("pids", limits.pids ?? DEFAULTS.pids),
    diskBytes: state("diskBytes", Math.min(diskBytes, MOST_DISK_BYTES)),
    openFiles: state("openFiles", limits.openFiles ?? DEFAULTS.openFiles),
    watches: state("watches", null),
    wallMs: state("wallMs", limits.wallMs ?? null),
  };
}

function state(name: DriverLimitName, value: number | null): VmHandle["limits"][DriverLimitName] {
  return { value, enforcement: VIRTUAL_LIMITS[name] };
}

/** What the VM's tree may hold. */
export function treeLimits({ diskBytes }: VmHandle["limits"]): { bytes: number; nodes: number } {
  const bytes = diskBytes.value ?? MOST_DISK_BYTES;
  return { bytes, nodes: Math.ceil(bytes / BYTES_PER_NODE) };
}
