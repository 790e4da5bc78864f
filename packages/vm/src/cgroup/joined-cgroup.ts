import { join } from "node:path";

import type { LimitHit } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import { type Branch, FROZEN, removeDirectory } from "./branch.ts";
import {
  errnoOf,
  numberOf,
  readControl,
  readKey,
  readProcs,
  writeControlNow,
} from "./control-file.ts";
import { Freezer } from "./freezer.ts";
import { HitWatch, type WatchedLimit } from "./hit-watch.ts";
import { MemoryKills } from "./memory-kills.ts";
import { CGROUP_LIMITS, CONTROLS, type ControlWrite } from "./limit-controls.ts";
import type { CgroupLimitName, CgroupLimits, CgroupUse, VmCgroup } from "./vm-cgroup.ts";

/** A VM's directory in one tree. */
export interface Seat {
  readonly branch: Branch;
  readonly directory: string;
}

/** What programs hold and what files in memory hold, the VM's disk among them; no file cache of the host. */
const MEMORY_KEYS = {
  1: ["total_rss", "total_shmem"],
  2: ["anon", "shmem"],
} as const;

/** One VM's directories. */
export class JoinedCgroup implements VmCgroup {
  readonly directories: readonly string[];
  readonly freeze: VmCgroup["freeze"];
  readonly #seats: readonly Seat[];
  readonly #hits = new HitWatch();
  readonly #kills = new MemoryKills();

  constructor(seats: readonly Seat[]) {
    this.#seats = seats;
    this.#hits.onCounted = (limit, times) => {
      if (limit.limit === "memoryBytes") this.#kills.add(limit, times);
    };
    // A process ends up in the last one of a tree, and the inner one must be removed first.
    this.directories = seats.flatMap(({ branch, directory }) =>
      branch.version === 2 ? [join(directory, FROZEN), directory] : [directory],
    );
    const unified = seats.find(({ branch }) => branch.version === 2);
    const freezer = unified === undefined ? undefined : new Freezer(unified.directory);
    this.freeze = freezer === undefined ? undefined : async (frozen) => freezer.set(frozen);
  }

  async apply(limits: CgroupLimits): Promise<void> {
    for (const limit of CGROUP_LIMITS) {
      const value = limits[limit];
      const seat = this.#seatOf(limit);
      if (value === undefined || seat === undefined) continue;
      const [inner, ...outer] = CONTROLS[seat.branch.version][limit].writes(value);
      // Lowering, the inner one goes first; raising, that is refused, and done once the outer one is.
      const isDone = isSet(limit, seat.directory, inner);
      for (const write of outer) set(limit, seat.directory, write);
      if (!isDone) set(limit, seat.directory, inner);
    }
    this.#hits.begin(this.#watched(limits));
  }

  /** For one whose limits were applied in an earlier life. */
  async resume(limits: CgroupLimits): Promise<void> {
    this.#hits.begin(this.#watched(limits));
    await this.#hits.skip();
  }

  async read(): Promise<CgroupUse> {
    const [memoryBytes, processes, cpuMs] = await Promise.all([
      this.#memoryBytes(),
      this.#processes(),
      this.#cpuMs(),
      // Whoever looks at the use wants to know of its limits too.
      this.#hits.check(),
    ]);
    return { memoryBytes, processes, cpuMs };
  }

  onHit(listener: (hit: LimitHit) => void): () => void {
    return this.#hits.listen(listener);
  }

  async check(): Promise<void> {
    await this.#hits.check();
  }

  changed(): void {
    this.#hits.changed();
  }

  async claimKill(sinceMs: number): Promise<LimitHit | undefined> {
    await this.#hits.check();
    return this.#kills.claim(sinceMs);
  }

  async remove(): Promise<void> {
    this.#hits.close();
    await Promise.all(this.#seats.map(({ directory }) => removeDirectory(directory)));
  }

  #seatOf(limit: CgroupLimitName): Seat | undefined {
    return this.#seats.find(({ branch }) => branch.limits.includes(limit));
  }

  #watched(limits: CgroupLimits): WatchedLimit[] {
    return CGROUP_LIMITS.flatMap((limit) => {
      const value = limits[limit];
      const seat = this.#seatOf(limit);
      if (value === undefined || seat === undefined) return [];
      const { version } = seat.branch;
      const { hits } = CONTROLS[version][limit];
      if (hits === undefined) return [];
      const path = join(seat.directory, hits.file);
      return [
        { limit, value, path, key: hits.key, announced: version === 2 || hits.announced === true },
      ];
    });
  }

  async #memoryBytes(): Promise<number | null> {
    const seat = this.#seatOf("memoryBytes");
    if (seat === undefined) return null;
    const path = join(seat.directory, "memory.stat");
    const [programs, files] = MEMORY_KEYS[seat.branch.version];
    const [anonymous, shared] = await Promise.all([readKey(path, programs), readKey(path, files)]);
    return anonymous === undefined || shared === undefined ? null : anonymous + shared;
  }

  async #processes(): Promise<number | null> {
    const [seat] = this.#seats;
    if (seat === undefined) return null;
    const [pids, frozen] = await Promise.all([
      readProcs(seat.directory),
      readProcs(join(seat.directory, FROZEN)),
    ]);
    return pids === undefined ? null : pids.length + (frozen?.length ?? 0);
  }

  async #cpuMs(): Promise<number | null> {
    const counts = await Promise.all(this.#seats.map((seat) => cpuMsIn(seat)));
    return counts.find((count) => count !== undefined) ?? null;
  }
}

async function cpuMsIn({ branch, directory }: Seat): Promise<number | undefined> {
  if (branch.version === 2) {
    const us = await readKey(join(directory, "cpu.stat"), "usage_usec");
    return us === undefined ? undefined : us / 1000;
  }
  const ns = numberOf(await readControl(join(directory, "cpuacct.usage")));
  return ns === undefined ? undefined : ns / 1_000_000;
}

/** False where the value is not to be had before another one. */
function isSet(limit: CgroupLimitName, directory: string, write: ControlWrite): boolean {
  try {
    set(limit, directory, write);
    return true;
  } catch (error) {
    if (error instanceof Error && errnoOf(error.cause) === "EINVAL") return false;
    throw error;
  }
}

function set(limit: CgroupLimitName, directory: string, write: ControlWrite): void {
  const { file, text, harmless } = write;
  try {
    writeControlNow(join(directory, file), text);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === harmless) return;
    const reason = `writing ${text} to ${file} failed with ${errno}`;
    throw new AgentOsError(
      "UNSUPPORTED_LIMIT",
      `expected a hard limit on ${limit}, got none: ${reason}`,
      { limit, offered: "none", reason },
      { cause },
    );
  }
}
