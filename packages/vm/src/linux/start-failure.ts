import { AgentOsError, type Mount } from "@agentos/protocol";

import type { Failure } from "../link/failure.ts";
import { refused } from "./mounts.ts";
import { obstacleOf } from "./probe.ts";
import { unavailable } from "./vmd-binary.ts";

const NAMESPACE_STEPS = ["clone", "uid-map", "gid-map", "setgroups", "proc"];
const PERMISSION_ERRORS = ["EPERM", "EACCES", "ENOSPC"];

const MOUNT_REASONS: Readonly<Record<string, string>> = {
  "mount-source": "the directory can't be opened",
  "mount-owner": "the directory belongs to root: mount it read-only, or say mapOwner",
  "mount-clone": "the directory can't be mounted elsewhere",
  "mount-idmap": "its file system can't map owners",
  "mount-attributes": "its mount can't be restricted",
  "mount-memory": "no memory file system of that size can be made",
  "mount-target": "the target can't be made in the VM, or is no directory",
};

/** What FAIL of CREATE or CONFIG means to the caller. No host path goes into it. */
export async function startError(
  vmId: string,
  mounts: readonly Mount[],
  failure: Failure,
): Promise<AgentOsError> {
  const { errno, step } = failure;
  const [name = step, target] = step.split(":");
  if (name === "vmId" && errno.name === "EEXIST") {
    return new AgentOsError("ALREADY_EXISTS", `VM ${vmId} exists already`, {
      kind: "vm",
      id: vmId,
    });
  }
  const mount = mounts.find((one) => target !== undefined && sameTarget(one, target));
  const reason = MOUNT_REASONS[name];
  if (mount !== undefined && reason !== undefined) {
    return refused(mount, `${reason} (${errno.name})`);
  }
  if (NAMESPACE_STEPS.includes(name) && PERMISSION_ERRORS.includes(errno.name)) {
    const obstacle = await obstacleOf(name, errno.name);
    return unavailable(obstacle.reason, obstacle.remedy);
  }
  return startFailed(vmId, name, errno.name);
}

/** A VM that did not come up. */
export function startFailed(
  vmId: string,
  step: string,
  errno?: string,
  cause?: unknown,
): AgentOsError<"VM_START_FAILED"> {
  const suffix = errno === undefined ? "" : `: ${errno}`;
  return new AgentOsError(
    "VM_START_FAILED",
    `VM ${vmId} did not start: ${step}${suffix}`,
    { step, ...(errno === undefined ? {} : { errno }) },
    cause === undefined ? {} : { cause },
  );
}

/** vmd shortens a target to 100 bytes, and the link's reader puts ? for what is not plain. */
function sameTarget(mount: Mount, target: string): boolean {
  const plain = Buffer.from(mount.target.replace(/\/+$/, ""))
    .toString("latin1")
    .slice(0, 100)
    .replaceAll(/[^\w .:/-]/g, "?");
  return plain === target;
}
