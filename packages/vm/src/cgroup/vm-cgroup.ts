import type { LimitHit } from "@agentos/core";
import type { Enforcement } from "@agentos/protocol";

/** The limits that take a cgroup. */
export type CgroupLimitName = "memoryBytes" | "cpus" | "pids";

/** Undefined: as much as there is. */
export type CgroupLimits = Readonly<Partial<Record<CgroupLimitName, number>>>;

/** How far a limit holds on this machine, and why no further. */
export interface CgroupOffer {
  readonly enforcement: Enforcement;
  readonly reason?: string;
}

/** `null` where it can't be known here. */
export interface CgroupUse {
  readonly memoryBytes: number | null;
  readonly processes: number | null;
  readonly cpuMs: number | null;
}

/** The cgroups of one VM: one directory, or one per hierarchy. */
export interface VmCgroup {
  /** Absolute paths, for CREATE: the launcher joins each before the clone. Empty where there are none. */
  readonly directories: readonly string[];
  /** Writes the limits: once, when the VM is handed out. Rejects where one that is offered as hard can't be set. */
  apply(limits: CgroupLimits): Promise<void>;
  /** What the VM uses now. Never rejects. */
  read(): Promise<CgroupUse>;
  /** Tells each hit of a limit that was applied. The result ends it; without listeners nothing is watched. */
  onHit(listener: (hit: LimitHit) => void): () => void;
  /**
   * Looks for hits since the last look and tells them: for whoever has reason to think that there was one.
   * Never rejects.
   */
  check(): Promise<void>;
  /** Something happened to its memory: looks for hits now, and once more in a while. */
  changed(): void;
  /**
   * Whether the kernel has killed a process of the VM for its memory a moment ago that nobody has claimed yet, and
   * not before `sinceMs` (of `performance.now()`): the limit then, and the kill is the caller's. Never rejects.
   */
  claimKill(sinceMs: number): Promise<LimitHit | undefined>;
  /** Stops or continues every process but PID 1; undefined where no freezer can do that: the driver then signals. */
  readonly freeze: ((frozen: boolean) => Promise<void>) | undefined;
  /** Removes the directories where vmd's spawner hasn't. Called after the VM's end; never rejects. */
  remove(): Promise<void>;
}

/** The part of the cgroup tree that this driver's VMs live in. */
export interface VmCgroups extends AsyncDisposable {
  readonly offers: Readonly<Record<CgroupLimitName, CgroupOffer>>;
  /** Makes the directories of one VM, without limits but joinable. `name` is a file name, never used before. */
  prepare(name: string): Promise<VmCgroup>;
  /** The cgroups of an adopted VM by the directories of its record, with the limits that were applied then. */
  adopt(directories: readonly string[], limits: CgroupLimits): Promise<VmCgroup>;
}

/**
 * What `open-cgroups.ts` exports as `openCgroups`. Resolves for every machine: where nothing can be
 * had, every offer is `none` with its reason and `prepare` gives no directories.
 */
export type OpenCgroups = () => Promise<VmCgroups>;
