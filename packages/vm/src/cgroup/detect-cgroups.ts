import { dirname, join } from "node:path";

import {
  type Branch,
  ownProcess,
  parentOf,
  removeDirectory,
  removeParent,
  sweep,
  trialName,
} from "./branch.ts";
import { readControl, writeControl } from "./control-file.ts";
import { type Hierarchy, readHierarchies } from "./hierarchies.ts";
import { CGROUP_LIMITS, CONTROLLERS } from "./limit-controls.ts";
import { type Place, type TrialResult, tryPlace } from "./trial.ts";
import type { CgroupLimitName, CgroupOffer } from "./vm-cgroup.ts";
import { WaitingProcess } from "./waiting-process.ts";

/** What this process can do with cgroups, found by trying. */
export interface CgroupFindings {
  readonly branches: readonly Branch[];
  readonly offers: Readonly<Record<CgroupLimitName, CgroupOffer>>;
}

interface Tried {
  readonly branch: Branch;
  readonly result: TrialResult;
}

interface Made extends Place {
  readonly handedBefore: readonly string[];
}

/** Tries each controller where it is mounted, and leaves nothing behind. Rejects where no process can be started. */
export async function detectCgroups(proc?: string): Promise<CgroupFindings> {
  const hierarchies = await readHierarchies(proc);
  await using detection = await Detection.start();
  const tried: Tried[] = [];
  const old = hierarchies.filter(({ version }) => version === 1);
  const taken = new Set(old.flatMap((hierarchy) => limitsOf(hierarchy)));
  const unified = hierarchies.find(({ version }) => version === 2);
  if (unified !== undefined) {
    const wanted = CGROUP_LIMITS.filter((limit) => !taken.has(limit));
    tried.push(await detection.tryUpwards(unified, wanted));
  }
  // v2 counts the time of processors by itself.
  const countsCpu = tried.some(({ result }) => result.joinable);
  for (const hierarchy of old) {
    const wanted = limitsOf(hierarchy);
    const counts = !countsCpu && hierarchy.controllers.includes("cpuacct");
    if (wanted.length === 0 && !counts) continue;
    // They share one process.
    // oxlint-disable-next-line no-await-in-loop
    tried.push(await detection.try(placeOf(hierarchy, hierarchy.own), wanted));
  }
  return findingsOf(tried);
}

function limitsOf({ controllers }: Hierarchy): CgroupLimitName[] {
  return CGROUP_LIMITS.filter((limit) => controllers.includes(CONTROLLERS[limit]));
}

function placeOf({ version, mountPoint }: Hierarchy, place: string): Place {
  return { version, mountPoint, place };
}

function findingsOf(tried: readonly Tried[]): CgroupFindings {
  const offer = (limit: CgroupLimitName): CgroupOffer => {
    if (tried.some(({ result }) => result.held.includes(limit))) return { enforcement: "hard" };
    const reasons = tried.flatMap(({ result }) => result.reasons.get(limit) ?? []);
    const reason = reasons[0] ?? `no ${CONTROLLERS[limit]} controller of cgroups is mounted here`;
    return { enforcement: "none", reason };
  };
  return {
    branches: tried.filter(({ result }) => result.joinable).map(({ branch }) => branch),
    offers: { memoryBytes: offer("memoryBytes"), cpus: offer("cpus"), pids: offer("pids") },
  };
}

/** The trials of one detection, and the process that they move about. */
class Detection implements AsyncDisposable {
  readonly #subject: WaitingProcess;
  readonly #name: string;
  readonly #made: Made[] = [];
  #count = 0;
  /** The place on v2 whose VMs need what was enabled there. */
  #chosen: string | undefined;

  private constructor(subject: WaitingProcess, name: string) {
    this.#subject = subject;
    this.#name = name;
  }

  static async start(): Promise<Detection> {
    return new Detection(await WaitingProcess.start(), trialName(await ownProcess()));
  }

  async try(place: Place, wanted: readonly CgroupLimitName[]): Promise<Tried> {
    this.#made.push({ ...place, handedBefore: await handedBy(place) });
    const result = await tryPlace(place, this.#nameOf(this.#count++), wanted, this.#subject.pid);
    const controllers = place.version === 2 ? result.held.map((limit) => CONTROLLERS[limit]) : [];
    return { branch: { ...place, controllers, limits: result.held }, result };
  }

  /** On v2 a cgroup with processes, as this one's, hands nothing down: the nearest above that can. */
  async tryUpwards(unified: Hierarchy, wanted: readonly CgroupLimitName[]): Promise<Tried> {
    let place = unified.own;
    let best = await this.try(placeOf(unified, place), wanted);
    while (best.result.held.length < wanted.length && place !== unified.mountPoint) {
      // Above it the VMs would be out of a limit that somebody set for this process.
      // oxlint-disable-next-line no-await-in-loop
      if (await isLimited(place)) break;
      place = dirname(place);
      // oxlint-disable-next-line no-await-in-loop
      const next = await this.try(placeOf(unified, place), wanted);
      if (rank(next) > rank(best)) best = next;
    }
    this.#chosen = best.branch.place;
    return best;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subject[Symbol.asyncDispose]();
    for (const [at, made] of this.#made.entries()) {
      const parent = parentOf(made);
      // A controller is taken back below before it is above.
      // oxlint-disable-next-line no-await-in-loop
      await removeDirectory(join(parent, this.#nameOf(at)));
      // Somebody who was killed while trying may have left as much in each place.
      // oxlint-disable-next-line no-await-in-loop
      await sweep(made);
      // oxlint-disable-next-line no-await-in-loop
      await removeParent(parent);
      // oxlint-disable-next-line no-await-in-loop
      if (made.place !== this.#chosen) await takeBack(made);
    }
  }

  #nameOf(at: number): string {
    return `${this.#name}-${at}`;
  }
}

/** The controllers that a v2 cgroup hands down. */
async function handedBy({ version, place }: Place): Promise<readonly string[]> {
  if (version === 1) return [];
  const text = await readControl(join(place, "cgroup.subtree_control"));
  return text?.split(" ").filter(Boolean) ?? [];
}

/** Leaves a place that was only tried as it was. */
async function takeBack(made: Made): Promise<void> {
  const now = await handedBy(made);
  const added = now.filter((controller) => !made.handedBefore.includes(controller));
  if (added.length === 0) return;
  const text = added.map((controller) => `-${controller}`).join(" ");
  // Somebody else has come to use it meanwhile.
  await writeControl(join(made.place, "cgroup.subtree_control"), text).catch(() => {});
}

function rank({ result }: Tried): number {
  return result.joinable ? 1 + result.held.length : 0;
}

async function isLimited(directory: string): Promise<boolean> {
  const [memory, cpu] = await Promise.all([
    readControl(join(directory, "memory.max")),
    readControl(join(directory, "cpu.max")),
  ]);
  return isSet(memory) || isSet(cpu);
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && !text.startsWith("max");
}
