import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Removes a tree that a guest made, and nobody changes any more: it may hold directories without permissions. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "EACCES") throw error;
    await openDirectories(path);
    await rm(path, { recursive: true, force: true });
  }
}

async function openDirectories(path: string): Promise<void> {
  await chmod(path, 0o700);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    // One after the other: a tree may be as wide as it likes.
    // oxlint-disable-next-line no-await-in-loop
    if (entry.isDirectory()) await openDirectories(join(path, entry.name));
  }
}
