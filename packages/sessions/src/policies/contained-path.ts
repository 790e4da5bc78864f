import { posix } from "node:path";

import type { VmFiles } from "@agentos/core";
import { isAgentOsError } from "@agentos/protocol";

/** A path through more links than this leads nowhere, as in the kernel. */
const MAX_LINKS = 40;

/**
 * Where `path` really leads, component by component as the kernel goes: links are followed, dangling
 * ones too, and what is missing is taken as it is written. Undefined where it can't be said: too many
 * links, or a directory that may not be read.
 */
export async function realPathOf(files: VmFiles, path: string): Promise<string | undefined> {
  const pending = componentsOf(path);
  let real = "/";
  let links = 0;
  for (let component = pending.shift(); component !== undefined; component = pending.shift()) {
    if (component === "..") {
      real = posix.dirname(real);
      continue;
    }
    const next = posix.join(real, component);
    const content = await linkContent(files, next);
    if (content === "unknown") return undefined;
    if (content === undefined) {
      real = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return undefined;
    if (content.path.startsWith("/")) real = "/";
    pending.unshift(...componentsOf(content.path));
  }
  return real;
}

function componentsOf(path: string): string[] {
  return path.split("/").filter((component) => component !== "" && component !== ".");
}

/** Whether `path` is one of `roots` or below it, both by their real paths. What can't be said is not. */
export async function isContained(
  files: VmFiles,
  path: string,
  roots: readonly string[],
): Promise<boolean> {
  const real = await realPathOf(files, path);
  if (real === undefined) return false;
  for (const root of roots) {
    const realRoot = await realPathOf(files, root);
    if (realRoot !== undefined && isBelow(realRoot, real)) return true;
  }
  return false;
}

function isBelow(root: string, path: string): boolean {
  const relative = posix.relative(root, path);
  return relative === "" || (relative !== ".." && !relative.startsWith("../"));
}

/** What a link says; undefined for anything else, and for what is missing. */
async function linkContent(
  files: VmFiles,
  path: string,
): Promise<{ path: string } | "unknown" | undefined> {
  try {
    const { type } = await files.lstat(path);
    return type === "symlink" ? { path: await files.readlink(path) } : undefined;
  } catch (error) {
    if (!isAgentOsError(error, "FILE_SYSTEM")) throw error;
    const { errno } = error.details;
    return errno === "ENOENT" || errno === "ENOTDIR" ? undefined : "unknown";
  }
}
