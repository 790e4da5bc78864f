import type { CgroupLimitName } from "./vm-cgroup.ts";

/** The kernel's own for a new cgroup. */
const CPU_PERIOD_US = 100_000;

/** One write of a control file. */
export interface ControlWrite {
  readonly file: string;
  readonly text: string;
  /** An errno that leaves the limit as good as set. */
  readonly harmless?: string;
}

/** A number that grows with each hit of a limit. */
interface HitCounter {
  readonly file: string;
  readonly key: string;
  /** The kernel announces its changes on v1 too. */
  readonly announced?: boolean;
}

/** How one version of cgroups holds a limit. */
export interface LimitControl {
  /** The first one's text is what the file then says. */
  writes(value: number): readonly [ControlWrite, ...ControlWrite[]];
  readonly hits?: HitCounter;
}

export const CGROUP_LIMITS = ["memoryBytes", "cpus", "pids"] as const;

/** The controller that holds each limit. */
export const CONTROLLERS: Readonly<Record<CgroupLimitName, string>> = {
  memoryBytes: "memory",
  cpus: "cpu",
  pids: "pids",
};

/** The smallest that may be asked for: whatever this cgroup's own limit is, it is above. */
export const TRIAL_VALUES: Readonly<Record<CgroupLimitName, number>> = {
  memoryBytes: 16 * 1024 * 1024,
  cpus: 0.01,
  pids: 1,
};

const PIDS: LimitControl = {
  writes: (value) => [{ file: "pids.max", text: String(value) }],
  hits: { file: "pids.events", key: "max", announced: true },
};

/** Swap is no way around the memory limit, and where the kernel doesn't count it there is no file. */
export const CONTROLS: Readonly<Record<1 | 2, Readonly<Record<CgroupLimitName, LimitControl>>>> = {
  1: {
    memoryBytes: {
      writes: (value) => [
        { file: "memory.limit_in_bytes", text: String(value) },
        { file: "memory.memsw.limit_in_bytes", text: String(value), harmless: "ENOENT" },
      ],
      hits: { file: "memory.oom_control", key: "oom_kill" },
    },
    cpus: {
      writes: (value) => [
        // Refused only where the parent's quota is below this one, and so holds anyway.
        { file: "cpu.cfs_quota_us", text: String(quota(value)), harmless: "EINVAL" },
      ],
    },
    pids: PIDS,
  },
  2: {
    memoryBytes: {
      // memory.oom.group stays 0: the group's death would be PID 1's, and the VM's files go with it.
      writes: (value) => [
        { file: "memory.max", text: String(value) },
        { file: "memory.swap.max", text: "0", harmless: "ENOENT" },
      ],
      hits: { file: "memory.events", key: "oom_kill" },
    },
    cpus: {
      writes: (value) => [{ file: "cpu.max", text: `${quota(value)} ${CPU_PERIOD_US}` }],
    },
    pids: PIDS,
  },
};

function quota(cpus: number): number {
  return Math.round(cpus * CPU_PERIOD_US);
}
