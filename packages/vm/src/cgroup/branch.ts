import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { mkdir, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { hostProcess, type HostProcess, isAlive } from "../linux/host-process.ts";
import { errnoOf, readControl, readProcs, writeControl } from "./control-file.ts";
import type { CgroupLimitName } from "./vm-cgroup.ts";

const PARENT = "agentos";
const PREFIX = "agentos-";
/** Below a VM's v2 cgroup: what is frozen is moved here, and PID 1 is not. */
export const FROZEN = "frozen";
const MAKE_ATTEMPTS = 5;
const REMOVE_MS = 2_000;
const REMOVE_POLL_MS = 20;
/** A name's part that says it was only for trying. */
const TRIAL = "trial";
/** A trial's process ends with the one that tries. */
const TRIAL_END_MS = 500;

/** The part of one tree that VMs get directories in. */
export interface Branch {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** The cgroup that the directory `agentos` is made in. */
  readonly place: string;
  /** What is enabled for the VMs of a v2 branch. */
  readonly controllers: readonly string[];
  /** The limits that hold here. */
  readonly limits: readonly CgroupLimitName[];
}

/** The directory of all VMs of a branch. */
export function parentOf(branch: Pick<Branch, "place">): string {
  return join(branch.place, PARENT);
}

/** This process, as the maker of directories. */
export async function ownProcess(): Promise<HostProcess> {
  return (await hostProcess(process.pid)) ?? { pid: process.pid, startTicks: "0" };
}

/** A name that tells who made the directory, so that a dead maker's can be swept. */
export function directoryName(maker: HostProcess, name: string): string {
  return `${PREFIX}${maker.pid}-${maker.startTicks}-${name}`;
}

/** A name for what is made to try something, and needed by nobody later. */
export function trialName(maker: HostProcess): string {
  return directoryName(maker, `${TRIAL}-${randomUUID()}`);
}

/** Whether a VM's directory is of this branch's tree. */
export function isOfBranch(branch: Branch, directory: string): boolean {
  const [last = ""] = directory.split("/").slice(-1);
  return directory.startsWith(`${branch.mountPoint}/`) && last.startsWith(PREFIX);
}

/** Makes a VM's directory. Another sidecar may remove the empty parent at the same time. */
export async function makeDirectory(branch: Branch, name: string): Promise<string> {
  const directory = join(parentOf(branch), name);
  for (let attempt = 1; ; attempt++) {
    try {
      if (makeNow(branch, directory)) return directory;
    } catch (error) {
      const went = ["ENOENT", "ENODEV"].includes(errnoOf(error));
      if (!went || attempt === MAKE_ATTEMPTS) throw error;
    }
    if (attempt === MAKE_ATTEMPTS) throw new Error(`no ${branch.controllers.join(", ")} below it`);
    // oxlint-disable-next-line no-await-in-loop
    await makeParent(branch);
  }
}

/** False where its parent does not hand the controllers down yet. */
function makeNow({ version, controllers }: Branch, directory: string): boolean {
  if (!existsSync(directory)) mkdirSync(directory);
  if (version === 1 || controllers.length === 0) return true;
  const handed = readFileSync(join(directory, "cgroup.controllers"), "latin1").trim().split(" ");
  return controllers.every((controller) => handed.includes(controller));
}

/** Makes the directory of all VMs, with its controllers for those below it. */
export async function makeParent(branch: Branch): Promise<void> {
  const parent = parentOf(branch);
  await mkdir(parent).catch((error: unknown) => {
    if (errnoOf(error) !== "EEXIST") throw error;
  });
  for (const controller of branch.controllers) {
    // Two writers of one file only get in each other's way.
    // oxlint-disable-next-line no-await-in-loop
    await enable(branch.place, parent, controller);
  }
}

/** On v2 a cgroup has the controllers that its parent hands down. */
async function enable(place: string, parent: string, controller: string): Promise<void> {
  const offered = await readControl(join(parent, "cgroup.controllers"));
  if (offered?.split(" ").includes(controller) !== true) {
    await writeControl(join(place, "cgroup.subtree_control"), `+${controller}`);
  }
  const handed = await readControl(join(parent, "cgroup.subtree_control"));
  if (handed?.split(" ").includes(controller) === true) return;
  await writeControl(join(parent, "cgroup.subtree_control"), `+${controller}`);
}

/** Removes a VM's directory once its last process is gone. False where it stays beyond the deadline. */
export async function removeDirectory(directory: string, deadlineMs = REMOVE_MS): Promise<boolean> {
  const end = performance.now() + deadlineMs;
  // oxlint-disable-next-line no-await-in-loop
  while (!(await removeEmpty(directory))) {
    if (performance.now() >= end) return false;
    // oxlint-disable-next-line no-await-in-loop
    await sleep(REMOVE_POLL_MS);
  }
  return true;
}

/** One attempt, with the directory for what is frozen. */
async function removeEmpty(directory: string): Promise<boolean> {
  await rmdir(join(directory, FROZEN)).catch(() => {});
  return rmdir(directory).then(
    () => true,
    (error: unknown) => errnoOf(error) === "ENOENT",
  );
}

/** Removes the directory of all VMs where it is empty. */
export async function removeParent(parent: string): Promise<void> {
  // Not empty: other sidecars have VMs there.
  await rmdir(parent).catch(() => {});
}

/** Removes what dead sidecars left without processes. */
export async function sweep(branch: Pick<Branch, "place">): Promise<void> {
  const parent = parentOf(branch);
  const names = await readdir(parent).catch(() => []);
  await Promise.all(
    names.map(async (name) => {
      const [, pid, startTicks, kind] = /^agentos-(\d+)-(\d+)-(\w+)/.exec(name) ?? [];
      if (pid === undefined || startTicks === undefined) return;
      // A living one may have made it a moment ago for a VM that is about to start.
      if (await isAlive({ pid: Number(pid), startTicks })) return;
      const directory = join(parent, name);
      if (kind === TRIAL) await removeDirectory(directory, TRIAL_END_MS);
      const pids = await readProcs(directory);
      // Adopted VMs live on in the directories of dead makers.
      if (pids?.length === 0) await removeEmpty(directory);
    }),
  );
}
