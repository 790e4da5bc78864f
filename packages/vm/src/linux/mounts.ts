import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";

import { AgentOsError, type Mount } from "@agentos/protocol";

const DEFAULT_MEMORY_BYTES = 64 * 1024 * 1024;
const MAX_PART_BYTES = 255;
/** What the VM is built from: nothing may be put over it or into it. */
const RESERVED = [
  "bin",
  "sbin",
  "lib",
  "lib32",
  "lib64",
  "libx32",
  "usr",
  "etc",
  "dev",
  "proc",
  "sys",
  "run",
  "opt/agentos",
];

/** A mount of the request, checked, as CONFIG says it. */
export type CheckedMount =
  | {
      readonly kind: "host";
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly mapOwner: boolean;
    }
  | { readonly kind: "memory"; readonly target: string; readonly sizeBytes: number };

/** Checks every mount of a request before anything is made. Rejects with `MOUNT_REFUSED`. */
export async function checkMounts(mounts: readonly Mount[]): Promise<CheckedMount[]> {
  const targets = new Set<string>();
  for (const mount of mounts) {
    const target = checkTarget(mount);
    if (targets.has(target)) throw refused(mount, `${target} is mounted twice`);
    targets.add(target);
  }
  return await Promise.all(mounts.map(checkMount));
}

async function checkMount(mount: Mount): Promise<CheckedMount> {
  const target = checkTarget(mount);
  if (mount.kind === "memory") {
    return { kind: "memory", target, sizeBytes: mount.sizeBytes ?? DEFAULT_MEMORY_BYTES };
  }
  const readOnly = mount.readOnly ?? true;
  const mapOwner = mount.mapOwner ?? false;
  // Resolved once: vmd opens exactly this, and follows no link on the way.
  const source = await realpath(mount.source).catch((cause: unknown) => {
    throw refused(mount, "the directory to mount does not exist or can't be reached", cause);
  });
  const found = await stat(source);
  if (!found.isDirectory()) throw refused(mount, "what is to be mounted is no directory");
  const root = process.geteuid?.() === 0;
  const rootOwned = found.uid === 0 || found.gid === 0;
  if (root && !readOnly && rootOwned && !mapOwner) {
    throw refused(
      mount,
      "the directory belongs to root: mount it read-only, or say mapOwner to let the VM write as root",
    );
  }
  if (!root) await checkAccess(mount, source, readOnly);
  return { kind: "host", source, target, readOnly, mapOwner: mapOwner && root };
}

async function checkAccess(mount: Mount, source: string, readOnly: boolean): Promise<void> {
  const wanted = constants.R_OK | constants.X_OK | (readOnly ? 0 : constants.W_OK);
  await access(source, wanted).catch((cause: unknown) => {
    throw refused(
      mount,
      `the sidecar's user may not ${readOnly ? "read" : "write to"} the directory`,
      cause,
    );
  });
}

/** The target without a closing slash. */
function checkTarget(mount: Mount): string {
  const target = mount.target.replace(/\/+$/, "");
  const parts = target.split("/").slice(1);
  if (parts.length === 0) throw refused(mount, "the root itself can't be mounted over");
  for (const part of parts) {
    if (part === "" || part === "." || part === "..") {
      throw refused(mount, `expected an absolute target without empty, "." or ".." parts`);
    }
    if (Buffer.byteLength(part) > MAX_PART_BYTES) {
      throw refused(mount, `expected parts of at most ${MAX_PART_BYTES} bytes in the target`);
    }
  }
  const inside = parts.join("/");
  const reserved = RESERVED.find((name) => inside === name || inside.startsWith(`${name}/`));
  if (reserved !== undefined) throw refused(mount, `/${reserved} is the VM's own`);
  return target;
}

/** Names the source as the caller gave it, never as it was resolved. */
export function refused(
  mount: Mount,
  reason: string,
  cause?: unknown,
): AgentOsError<"MOUNT_REFUSED"> {
  const source = mount.kind === "host" ? { source: mount.source } : {};
  return new AgentOsError(
    "MOUNT_REFUSED",
    `mount at ${mount.target}: ${reason}`,
    { ...source, target: mount.target, reason },
    cause === undefined ? {} : { cause },
  );
}
