import { join } from "node:path";

import { type Branch, makeDirectory, makeParent } from "./branch.ts";
import { errnoOf, readControl, readProcs, writeControl } from "./control-file.ts";
import { CONTROLLERS, CONTROLS, TRIAL_VALUES } from "./limit-controls.ts";
import type { CgroupLimitName } from "./vm-cgroup.ts";

/** What a place in a tree turned out to be good for. */
export interface TrialResult {
  /** Directories can be made there and processes moved in. */
  readonly joinable: boolean;
  readonly held: readonly CgroupLimitName[];
  /** Why the others are not. */
  readonly reasons: ReadonlyMap<CgroupLimitName, string>;
}

/** A place in a tree, before anything is known about it. */
export type Place = Pick<Branch, "version" | "mountPoint" | "place">;

/** Makes the cgroup `name`, sets each limit, reads it back, and moves the process in. It stays for the caller to remove. */
export async function tryPlace(
  place: Place,
  name: string,
  wanted: readonly CgroupLimitName[],
  pid: number,
): Promise<TrialResult> {
  const branch = { ...place, controllers: [], limits: [] };
  const made = await step("making a cgroup", makeDirectory(branch, name));
  if (!made.ok) return nothing(wanted, made.reason);
  const held: CgroupLimitName[] = [];
  const reasons = new Map<CgroupLimitName, string>();
  for (const limit of wanted) {
    // Enabling a controller is a write of the same file for each.
    // oxlint-disable-next-line no-await-in-loop
    const reason = await tryLimit(branch, made.value, limit);
    if (reason === undefined) held.push(limit);
    else reasons.set(limit, reason);
  }
  const moving = writeControl(join(made.value, "cgroup.procs"), String(pid));
  const moved = await step("moving a process into a cgroup", moving);
  return moved.ok ? { joinable: true, held, reasons } : nothing(wanted, moved.reason);
}

/** Undefined: it holds. */
async function tryLimit(
  branch: Branch,
  directory: string,
  limit: CgroupLimitName,
): Promise<string | undefined> {
  const controller = CONTROLLERS[limit];
  if (branch.version === 2) {
    const missing = await tryController(branch, controller);
    if (missing !== undefined) return missing;
  }
  const [write] = CONTROLS[branch.version][limit].writes(TRIAL_VALUES[limit]);
  const path = join(directory, write.file);
  const written = await step(`writing ${write.file}`, writeControl(path, write.text));
  if (!written.ok) return written.reason;
  const said = await readControl(path);
  if (said === write.text) return undefined;
  return `${write.file} says ${said ?? "nothing"} after ${write.text} was written`;
}

async function tryController(branch: Branch, controller: string): Promise<string | undefined> {
  const offered = await readControl(join(branch.place, "cgroup.controllers"));
  if (offered?.split(" ").includes(controller) !== true) {
    return `no ${controller} controller is handed down to this cgroup`;
  }
  if (await isInner(branch.place)) {
    return `enabling the ${controller} controller would fail with EBUSY: its cgroup has processes`;
  }
  const enabled = await step(
    `enabling the ${controller} controller`,
    makeParent({ ...branch, controllers: [controller] }),
  );
  return enabled.ok ? undefined : enabled.reason;
}

/** With processes, only the topmost cgroup hands controllers down. Trying could turn another into a threaded one. */
async function isInner(place: string): Promise<boolean> {
  const [type, pids] = await Promise.all([
    readControl(join(place, "cgroup.type")),
    readProcs(place),
  ]);
  return type !== undefined && pids?.length !== 0;
}

type Step<T> = { ok: true; value: T } | { ok: false; reason: string };

async function step<T>(what: string, attempt: Promise<T>): Promise<Step<T>> {
  try {
    return { ok: true, value: await attempt };
  } catch (error) {
    return { ok: false, reason: `${what} failed with ${errnoOf(error)}` };
  }
}

function nothing(wanted: readonly CgroupLimitName[], reason: string): TrialResult {
  return { joinable: false, held: [], reasons: new Map(wanted.map((limit) => [limit, reason])) };
}
