import type { VmHandle } from "@agentos/core";
import { AgentOsError, DRIVER_LIMIT_NAMES, type DriverLimitName } from "@agentos/protocol";

import type { VmCgroup } from "../cgroup/vm-cgroup.ts";
import type { Failure } from "../link/failure.ts";
import type { Adjustment } from "./adjust-vm.ts";
import { cgroupLimits } from "./limits.ts";

type States = VmHandle["limits"];
type Changes = Parameters<VmHandle["setLimits"]>[0];

/** What the VM was started with and can't be given more than: its programs stand within it. */
const AT_START: Readonly<Partial<Record<DriverLimitName, string>>> = {
  openFiles: "each process has had it since its start",
  wallMs: "its time runs since its start",
};
const DISK_SHARE = 3 / 4;
/** The spawner is gone, or of a build that can't. */
const LOST: Failure = {
  errno: { code: 32, name: "EPIPE", message: "nobody answered" },
  step: "spawner",
};

export interface LiveLimitsParts {
  readonly cgroup: VmCgroup;
  /** With what it was started. */
  readonly start: States;
  /** Whether the disk is memory, and so within `memoryBytes`. */
  readonly hasMemoryDisk: boolean;
  /** Whether its files lie on frozen ones, which have their part of the size. */
  readonly hasLayers: () => boolean;
  /** What is changed from outside the VM's walls. Resolves with why not. */
  readonly adjust: (adjustment: Adjustment) => Promise<Failure | undefined>;
}

/** The limits of a live VM, and how they are changed. */
export class LiveLimits {
  readonly #parts: LiveLimitsParts;
  #now: States;

  constructor(parts: LiveLimitsParts) {
    this.#parts = parts;
    this.#now = parts.start;
  }

  get states(): States {
    return this.#now;
  }

  /** All of them, or none. Rejects with `UNSUPPORTED_LIMIT`, which names the first that can't be changed, and why. */
  async change(changes: Changes): Promise<void> {
    for (const [limit, value] of entriesOf(changes)) this.#check(limit, value, changes);
    const before = this.#now;
    const after = { ...before };
    for (const [limit, value] of entriesOf(changes))
      after[limit] = { value, enforcement: before[limit].enforcement };
    await this.#adjust(changes);
    try {
      await this.#parts.cgroup.apply(cgroupLimits(after));
    } catch (error) {
      // What was changed before it failed goes back; where that fails, the cgroup's own error says more.
      await this.#parts.cgroup.apply(cgroupLimits(before)).catch(() => undefined);
      await this.#adjust(valuesOf(before, changes)).catch(() => undefined);
      throw error;
    }
    this.#now = after;
  }

  /** The disk's size and the count of watches, which no cgroup knows. */
  async #adjust({ diskBytes, watches }: Changes): Promise<void> {
    const size = this.#parts.hasMemoryDisk ? diskBytes : undefined;
    if (size === undefined && watches === undefined) return;
    const failure = await this.#parts.adjust({ diskBytes: size, watches }).catch(() => LOST);
    if (failure === undefined) return;
    const { step, errno } = failure;
    const limit = step === "watches" || size === undefined ? "watches" : "diskBytes";
    const isFull = limit === "diskBytes" && errno.name === "EINVAL";
    const reason = isFull ? "its disk holds more than that" : `${step}: ${errno.name}`;
    throw refused(limit, this.#now[limit].enforcement, reason);
  }

  #check(limit: DriverLimitName, value: number, changes: Changes): void {
    const { enforcement } = this.#now[limit];
    if (limit === "watches") return;
    const reason =
      limit === "diskBytes"
        ? this.#diskReason(value, changes)
        : (AT_START[limit] ?? this.#heldReason(limit, value));
    if (reason !== undefined) throw refused(limit, enforcement, reason);
  }

  #diskReason(value: number, { memoryBytes }: Changes): string | undefined {
    // What is only counted can be anything.
    if (!this.#parts.hasMemoryDisk) return undefined;
    if (this.#parts.hasLayers())
      return "its files lie on a snapshot's, which have their part of it";
    const { value: now, enforcement } = this.#now.memoryBytes;
    const memory = memoryBytes ?? now;
    if (memory === null || enforcement !== "hard") return undefined;
    const most = Math.floor(memory * DISK_SHARE);
    return value > most ? `its disk is memory: at most ${most} of ${memory} bytes` : undefined;
  }

  /** Why one that a cgroup holds can't have this value. */
  #heldReason(limit: DriverLimitName, value: number): string | undefined {
    const { cgroup, start, hasMemoryDisk } = this.#parts;
    if (cgroup.directories.length === 0 || this.#now[limit].enforcement !== "hard")
      return "it takes a cgroup, and the VM has none that holds it";
    const started = start[limit].value;
    if (limit === "cpus" && started !== null && value > Math.ceil(started))
      return `its programs were started on ${Math.ceil(started)} processors`;
    if (limit === "pids" && started !== null && value > started)
      return `its processes were started with at most ${started}`;
    const disk = this.#now.diskBytes.value;
    if (limit !== "memoryBytes" || disk === null || !hasMemoryDisk) return undefined;
    const least = Math.ceil(disk / DISK_SHARE);
    return value < least ? `its disk of ${disk} bytes is memory: at least ${least}` : undefined;
  }
}

/** What those that are changed were before. */
function valuesOf(states: States, changes: Changes): Changes {
  const before = entriesOf(changes).map(([limit]) => [limit, states[limit].value] as const);
  return Object.fromEntries(before.filter(([, value]) => value !== null));
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
