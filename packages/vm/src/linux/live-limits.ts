import type { VmHandle } from "@agentos/core";
import { AgentOsError, DRIVER_LIMIT_NAMES, type DriverLimitName } from "@agentos/protocol";

import type { VmCgroup } from "../cgroup/vm-cgroup.ts";
import { cgroupLimits } from "./limits.ts";

type States = VmHandle["limits"];
type Changes = Parameters<VmHandle["setLimits"]>[0];

/** What the VM was started with and can't be given more than: its programs stand within it. */
const AT_START: Readonly<Partial<Record<DriverLimitName, string>>> = {
  diskBytes: "the size of its disk is set at its start",
  openFiles: "each process has had it since its start",
  watches: "nobody in the VM may change it",
  wallMs: "its time runs since its start",
};
const DISK_SHARE = 3 / 4;

/** The limits of a live VM, and how they are changed. */
export class LiveLimits {
  readonly #cgroup: VmCgroup;
  readonly #start: States;
  /** Whether the disk is memory, and so within `memoryBytes`. */
  readonly #hasMemoryDisk: boolean;
  #now: States;

  constructor(cgroup: VmCgroup, start: States, hasMemoryDisk: boolean) {
    this.#cgroup = cgroup;
    this.#start = start;
    this.#hasMemoryDisk = hasMemoryDisk;
    this.#now = start;
  }

  get states(): States {
    return this.#now;
  }

  /** All of them, or none. Rejects with `UNSUPPORTED_LIMIT`, which names the first that can't be changed, and why. */
  async change(changes: Changes): Promise<void> {
    for (const [limit, value] of entriesOf(changes)) this.#check(limit, value);
    const before = this.#now;
    const after = { ...before };
    for (const [limit, value] of entriesOf(changes))
      after[limit] = { value, enforcement: before[limit].enforcement };
    try {
      await this.#cgroup.apply(cgroupLimits(after));
    } catch (error) {
      // What was changed before it failed goes back; where that fails, the cgroup's own error says more.
      await this.#cgroup.apply(cgroupLimits(before)).catch(() => undefined);
      throw error;
    }
    this.#now = after;
  }

  #check(limit: DriverLimitName, value: number): void {
    const { enforcement } = this.#now[limit];
    // What is only looked at can be anything.
    if (limit === "diskBytes" && enforcement === "soft") return;
    const reason = AT_START[limit] ?? this.#heldReason(limit, value);
    if (reason !== undefined) throw refused(limit, enforcement, reason);
  }

  /** Why one that a cgroup holds can't have this value. */
  #heldReason(limit: DriverLimitName, value: number): string | undefined {
    if (this.#cgroup.directories.length === 0 || this.#now[limit].enforcement !== "hard")
      return "it takes a cgroup, and the VM has none that holds it";
    const started = this.#start[limit].value;
    if (limit === "cpus" && started !== null && value > Math.ceil(started))
      return `its programs were started on ${Math.ceil(started)} processors`;
    if (limit === "pids" && started !== null && value > started)
      return `its processes were started with at most ${started}`;
    const disk = this.#now.diskBytes.value;
    if (limit !== "memoryBytes" || disk === null || !this.#hasMemoryDisk) return undefined;
    const least = Math.ceil(disk / DISK_SHARE);
    return value < least ? `its disk of ${disk} bytes is memory: at least ${least}` : undefined;
  }
}

function entriesOf(changes: Changes): [DriverLimitName, number][] {
  return DRIVER_LIMIT_NAMES.flatMap((limit): [DriverLimitName, number][] => {
    const value = changes[limit];
    return value === undefined ? [] : [[limit, value]];
  });
}

function refused(
  limit: DriverLimitName,
  offered: States[DriverLimitName]["enforcement"],
  reason: string,
): AgentOsError<"UNSUPPORTED_LIMIT"> {
  const message = `${limit} of a live VM can't be set to that: ${reason}`;
  return new AgentOsError("UNSUPPORTED_LIMIT", message, { limit, offered, reason });
}
