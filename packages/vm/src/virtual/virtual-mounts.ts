import { access, constants, realpath, stat } from "node:fs/promises";

import { AgentOsError, type Mount } from "@agentos/protocol";

import type { HostCopy } from "./worker/guest-call.ts";

const READ_WRITE =
  "the virtual driver copies host directories, so writes would never reach the host: leave readOnly as it is and download what you want back";
const MEMORY =
  "every file of a virtual VM is in memory, within diskBytes: make a directory instead";

/** The copies that stand for a request's mounts. Rejects with `MOUNT_REFUSED`. */
export async function copiesOf(mounts: readonly Mount[]): Promise<HostCopy[]> {
  return await Promise.all(mounts.map(copyOf));
}

async function copyOf(mount: Mount): Promise<HostCopy> {
  if (mount.kind === "memory") throw refused(mount, MEMORY);
  if (mount.readOnly === false) throw refused(mount, READ_WRITE);
  const { target } = mount;
  if (target.split("/").some((part) => part === "." || part === ".."))
    throw refused(mount, 'expected an absolute target without "." or ".." parts');
  try {
    const source = await realpath(mount.source);
    await access(source, constants.R_OK | constants.X_OK);
    if ((await stat(source)).isDirectory()) return { source, target };
  } catch (cause) {
    throw refused(mount, "the directory to copy does not exist or can't be read", cause);
  }
  throw refused(mount, "what is to be copied is no directory");
}

function refused(mount: Mount, reason: string, cause?: unknown): AgentOsError<"MOUNT_REFUSED"> {
  const source = mount.kind === "host" ? { source: mount.source } : {};
  return new AgentOsError(
    "MOUNT_REFUSED",
    `mount at ${mount.target}: ${reason}`,
    { ...source, target: mount.target, reason },
    cause === undefined ? {} : { cause },
  );
}
