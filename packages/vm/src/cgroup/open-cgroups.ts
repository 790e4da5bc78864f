import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

import type { HostProcess } from "../linux/host-process.ts";
import { unavailable } from "../linux/vmd-binary.ts";
import {
  directoryName,
  FROZEN,
  isOfBranch,
  makeDirectory,
  ownProcess,
  parentOf,
  removeDirectory,
  removeParent,
  sweep,
} from "./branch.ts";
import { errnoOf, readControl } from "./control-file.ts";
import { type CgroupFindings, detectCgroups } from "./detect-cgroups.ts";
import { JoinedCgroup, type Seat } from "./joined-cgroup.ts";
import type { CgroupLimits, OpenCgroups, VmCgroup, VmCgroups } from "./vm-cgroup.ts";

/** What was found, by the boot of the kernel that it was found on. */
const findings = new Map<string, Promise<CgroupFindings>>();

/** Tries what cgroups can do here (once per boot and process) and sweeps what dead sidecars left. */
export const openCgroups: OpenCgroups = async () => {
  const boot = (await readControl("/proc/sys/kernel/random/boot_id")) ?? "";
  const found = findings.get(boot) ?? detectCgroups().catch(nothing);
  findings.set(boot, found);
  return CgroupTree.open(await found);
};

function nothing(error: unknown): CgroupFindings {
  const offer = { enforcement: "none", reason: String(error) } as const;
  return { branches: [], offers: { memoryBytes: offer, cpus: offer, pids: offer } };
}

/** The cgroups of one driver's VMs. */
class CgroupTree implements VmCgroups {
  readonly offers: VmCgroups["offers"];
  readonly #branches: CgroupFindings["branches"];
  readonly #self: HostProcess;
  readonly #parents: Set<string>;
  #made = 0;

  private constructor(found: CgroupFindings, self: HostProcess) {
    this.offers = found.offers;
    this.#branches = found.branches;
    this.#self = self;
    this.#parents = new Set(found.branches.map((branch) => parentOf(branch)));
  }

  static async open(found: CgroupFindings): Promise<CgroupTree> {
    await Promise.all(found.branches.map((branch) => sweep(branch)));
    return new CgroupTree(found, await ownProcess());
  }

  /** Rejects with `DRIVER_UNAVAILABLE`, and nothing is left. */
  async prepare(name: string): Promise<VmCgroup> {
    this.#made += 1;
    const directory = directoryName(this.#self, `${this.#made}-${name}`);
    const making = this.#branches.map(async (branch): Promise<Seat> => {
      const made = await makeDirectory(branch, directory);
      if (branch.version === 2) mkdirSync(join(made, FROZEN));
      return { branch, directory: made };
    });
    const results = await Promise.allSettled(making);
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) return new JoinedCgroup(await Promise.all(making));
    await Promise.all(
      this.#branches.map((branch) => removeDirectory(join(parentOf(branch), directory))),
    );
    const { reason } = failed;
    throw unavailable(`a VM's cgroup can't be made: ${errnoOf(reason)}`, undefined, reason);
  }

  async adopt(directories: readonly string[], limits: CgroupLimits): Promise<VmCgroup> {
    const seats = this.#branches.flatMap((branch) =>
      directories
        .filter((directory) => isOfBranch(branch, directory))
        .map((directory) => ({ branch, directory })),
    );
    // An earlier life may have lived elsewhere in the trees.
    for (const { directory } of seats) this.#parents.add(dirname(directory));
    const adopted = new JoinedCgroup(seats);
    await adopted.resume(limits);
    return adopted;
  }

  /** Removes the directories of all VMs, unless there are some left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#parents].map((parent) => removeParent(parent)));
  }
}
