import type { VmFiles } from "@agentos/core";
import { decodeDirectoryEntries, type DirectoryEntry, readAll } from "@agentos/protocol";

/** What a directory of a VM holds, sorted by name. Rejects with `FILE_SYSTEM`. */
export async function readDirectory(files: VmFiles, path: string): Promise<DirectoryEntry[]> {
  const { bytes } = await readAll((reader) => files.readdir(path, reader));
  return decodeDirectoryEntries(bytes);
}
