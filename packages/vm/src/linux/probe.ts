import { readFile } from "node:fs/promises";

import type { DriverReport } from "@agentos/protocol";
import { execa } from "execa";

import type { VmCgroups } from "../cgroup/vm-cgroup.ts";
import { LINK_VERSION } from "../link/link-kinds.ts";
import { linuxLimits } from "./limits.ts";
import { wallNames } from "./walls.ts";

const PROBE_MS = 10_000;
const PERMISSION_ERRORS = ["EPERM", "EACCES"];

/** What stands between a VM of this driver and the host. */
export const LINUX_ISOLATION = "namespaces";

/** Why a step of vmd fails on this machine, and what to do about it. */
export interface Obstacle {
  readonly reason: string;
  readonly remedy?: string;
}

/** Runs `vmd probe`, which makes a VM and seals it. Never rejects. */
export async function probeLinux(vmd: string, cgroups: VmCgroups): Promise<DriverReport> {
  const answer = await runProbe(vmd);
  if ("reason" in answer) return linuxReport(answer, cgroups);
  return { ...linuxReport(undefined, cgroups), walls: wallNames(answer.walls) };
}

/** The report of a machine on which the driver works, or meets an obstacle. */
export function linuxReport(obstacle: Obstacle | undefined, cgroups?: VmCgroups): DriverReport {
  return {
    driver: "linux",
    available: obstacle === undefined,
    isolation: LINUX_ISOLATION,
    limits: { ...linuxLimits(cgroups) },
    ...obstacle,
  };
}

async function runProbe(vmd: string): Promise<Works | Obstacle> {
  const { stdout, failed, shortMessage } = await execa(vmd, ["probe"], {
    env: {},
    extendEnv: false,
    reject: false,
    timeout: PROBE_MS,
    forceKillAfterDelay: 1_000,
    stdin: "ignore",
    stderr: "ignore",
  });
  const answer = parseAnswer(stdout);
  if (answer === undefined || failed) {
    return { reason: `vmd probe gave no answer: ${shortMessage ?? "unknown output"}` };
  }
  return "step" in answer ? await obstacleOf(answer.step, answer.errno) : answer;
}

/** A VM was made, and these of its walls were tried. */
interface Works {
  readonly walls: number;
}

type ProbeAnswer = Works | Obstacle | { step: string; errno: string };

function parseAnswer(text: string): ProbeAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Told apart by the caller, who also knows how vmd ended.
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("ok" in value)) return undefined;
  if (value.ok === true) {
    if (!("link" in value)) return undefined;
    const walls = "walls" in value && typeof value.walls === "number" ? value.walls : 0;
    return speaking(value.link, walls);
  }
  if (!("step" in value) || !("errno" in value)) return undefined;
  const { step, errno } = value;
  return typeof step === "string" && typeof errno === "string" ? { step, errno } : undefined;
}

/** A VM's hello would refuse any other version. */
function speaking(link: unknown, walls: number): Works | Obstacle {
  if (link === LINK_VERSION) return { walls };
  return { reason: `vmd speaks version ${String(link)} of the link, expected ${LINK_VERSION}` };
}

/** What the failure of a step means here. */
export async function obstacleOf(step: string, errno: string): Promise<Obstacle> {
  const failure = `${step} failed with ${errno}`;
  const [name = step] = step.split(":");
  if ((await setting("user/max_user_namespaces")) === "0") {
    return {
      reason: `user namespaces are switched off (${failure})`,
      remedy: "set the sysctl user.max_user_namespaces to at least 1000",
    };
  }
  if (errno === "ENOSPC" && name === "clone") {
    return {
      reason: `no user namespace is left (${failure})`,
      remedy: "raise the sysctl user.max_user_namespaces",
    };
  }
  if (!PERMISSION_ERRORS.includes(errno)) return { reason: failure };
  if (name === "proc") {
    return {
      reason: `a new /proc can't be mounted because parts of this one are masked (${failure})`,
      remedy:
        "run the container with an unmasked /proc (docker: --security-opt systempaths=unconfined)",
    };
  }
  return permissionObstacle(failure);
}

async function permissionObstacle(failure: string): Promise<Obstacle> {
  if ((await setting("kernel/apparmor_restrict_unprivileged_userns")) === "1") {
    return {
      reason: `AppArmor keeps ordinary users from user namespaces (${failure})`,
      remedy:
        "allow vmd in an AppArmor profile with userns, or set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0",
    };
  }
  if ((await setting("kernel/unprivileged_userns_clone")) === "0") {
    return {
      reason: `ordinary users may not make user namespaces (${failure})`,
      remedy: "set the sysctl kernel.unprivileged_userns_clone to 1",
    };
  }
  return {
    reason: `the system refuses to make namespaces or mounts (${failure})`,
    remedy:
      "in a container, allow unshare and mount in its seccomp profile (docker: --security-opt seccomp=unconfined)",
  };
}

async function setting(name: string): Promise<string | undefined> {
  const text = await readFile(`/proc/sys/${name}`, "latin1").catch(() => undefined);
  return text?.trim();
}
