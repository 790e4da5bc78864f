import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join, posix } from "node:path";

import type { FileTree } from "../tree/file-tree.ts";
import type { HostCopy } from "./guest-call.ts";

/** Copies a directory of the host into a tree: files, directories and links as links. What else is there is left out. */
export async function copyFromHost(tree: FileTree, { source, target }: HostCopy): Promise<void> {
  const { mode } = await lstat(source);
  tree.mkdirAll(target, mode);
  await copyEntries(tree, source, target);
}

async function copyEntries(tree: FileTree, source: string, target: string): Promise<void> {
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    const to = posix.join(target, entry.name);
    // One after the other: at most one file of the host is in memory twice.
    // oxlint-disable-next-line no-await-in-loop
    const { mode, mtimeMs } = await lstat(from);
    if (entry.isDirectory()) {
      tree.mkdirAll(to, mode);
      // oxlint-disable-next-line no-await-in-loop
      await copyEntries(tree, from, to);
    } else if (entry.isSymbolicLink()) {
      // oxlint-disable-next-line no-await-in-loop
      tree.symlink(await readlink(from), to);
    } else if (entry.isFile()) {
      // oxlint-disable-next-line no-await-in-loop
      const bytes = await readFile(from);
      tree.openFile(to, mode, "truncate");
      tree.writeAt(to, 0, bytes);
      tree.utimes(to, mtimeMs);
    }
  }
}
