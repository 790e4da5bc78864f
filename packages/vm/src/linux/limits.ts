import type { VmHandle, VmRequest } from "@agentos/core";
import { AgentOsError, DEFAULTS, type Enforcement, type DriverLimitName } from "@agentos/protocol";

import type { CgroupLimitName, CgroupLimits, CgroupOffer, VmCgroups } from "../cgroup/vm-cgroup.ts";

type Cgroups = Pick<VmCgroups, "offers">;

/** What limits are held by. */
export interface LimitPlace {
  readonly cgroups: Cgroups;
  /** Whether the VM's files are in a directory of the host, which has no size. */
  readonly isOnDisk: boolean;
}

/** By rlimits in the VM's user namespace, the size of its filesystem, and a timer. */
const HARD_ANYWHERE: Readonly<
  Record<Exclude<DriverLimitName, "memoryBytes" | "cpus">, Enforcement>
> = {
  pids: "hard",
  diskBytes: "hard",
  openFiles: "hard",
  watches: "hard",
  wallMs: "hard",
};
const NO_CGROUPS: CgroupOffer = { enforcement: "none", reason: "cgroups are not in use" };

/** How far each limit holds on this machine, as it was found by trying. */
export function linuxLimits(
  cgroups?: Cgroups,
  isOnDisk = false,
): Readonly<Record<DriverLimitName, Enforcement>> {
  return {
    memoryBytes: offerOf("memoryBytes", cgroups).enforcement,
    cpus: offerOf("cpus", cgroups).enforcement,
    ...HARD_ANYWHERE,
    ...(isOnDisk ? { diskBytes: "soft" as const } : {}),
  };
}

/** Refuses with `UNSUPPORTED_LIMIT` what is required and not hard. */
export function checkRequiredLimits(
  required: readonly DriverLimitName[],
  { cgroups, isOnDisk }: LimitPlace,
): void {
  const offers = linuxLimits(cgroups, isOnDisk);
  for (const limit of required) {
    const offered = offers[limit];
    if (offered === "hard") continue;
    const reason = reasonOf(limit, cgroups);
    throw new AgentOsError(
      "UNSUPPORTED_LIMIT",
      `expected a hard limit on ${limit}, the linux driver offers ${offered}: ${reason}`,
      { limit, offered, reason },
    );
  }
}

/**
 * The limits as they will hold, defaults filled in. The VM's disk is memory: where memory is limited,
 * the disk gets at most three quarters of it, so that a full one is ENOSPC and not the end of programs.
 */
function heldLimits(
  limits: VmRequest["limits"],
  { cgroups, isOnDisk }: LimitPlace,
): VmRequest["limits"] {
  const filled = {
    ...limits,
    pids: limits.pids ?? DEFAULTS.pids,
    diskBytes: limits.diskBytes ?? DEFAULTS.diskBytes,
    openFiles: limits.openFiles ?? DEFAULTS.openFiles,
    watches: limits.watches ?? DEFAULTS.watches,
  };
  const { memoryBytes } = limits;
  if (isOnDisk || memoryBytes === undefined || linuxLimits(cgroups).memoryBytes !== "hard")
    return filled;
  const most = Math.floor((memoryBytes / 4) * 3);
  return { ...filled, diskBytes: Math.min(filled.diskBytes, most) };
}

/**
 * What CONFIG says of the limits. The cgroup is to refuse a process first, because it counts what it
 * refuses: the rlimit behind it allows one more.
 */
export function configLimits(limits: VmRequest["limits"], place: LimitPlace): VmRequest["limits"] {
  const held = heldLimits(limits, place);
  const counted = offerOf("pids", place.cgroups).enforcement === "hard";
  return counted ? { ...held, pids: (held.pids ?? DEFAULTS.pids) + 1 } : held;
}

/** Each limit of the request with how far it holds. */
export function limitStates(limits: VmRequest["limits"], place: LimitPlace): VmHandle["limits"] {
  const held = heldLimits(limits, place);
  const offers = linuxLimits(place.cgroups, place.isOnDisk);
  const state = (name: DriverLimitName): VmHandle["limits"][DriverLimitName] => ({
    value: held[name] ?? null,
    enforcement: offers[name],
  });
  return {
    memoryBytes: state("memoryBytes"),
    cpus: state("cpus"),
    pids: state("pids"),
    diskBytes: state("diskBytes"),
    openFiles: state("openFiles"),
    watches: state("watches"),
    wallMs: state("wallMs"),
  };
}

/** What of the limits the VM's cgroups hold. */
export function cgroupLimits({ memoryBytes, cpus, pids }: VmHandle["limits"]): CgroupLimits {
  const limits = Object.entries({ memoryBytes, cpus, pids });
  return Object.fromEntries(
    limits.flatMap(([name, { value }]) => (value === null ? [] : [[name, value]])),
  );
}

function offerOf(limit: CgroupLimitName, cgroups: Cgroups | undefined): CgroupOffer {
  return cgroups?.offers[limit] ?? NO_CGROUPS;
}

function reasonOf(limit: DriverLimitName, cgroups: Cgroups | undefined): string {
  if (limit === "diskBytes")
    return "a disk that outlives its VM is a directory of the host, whose files are counted now and then";
  const cgroupLimit = limit === "memoryBytes" || limit === "cpus" ? limit : undefined;
  const reason = cgroupLimit === undefined ? undefined : offerOf(cgroupLimit, cgroups).reason;
  return `it takes a cgroup: ${reason ?? "none can be had here"}`;
}
