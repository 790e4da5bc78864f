import type { VmFiles } from "@agentos/core";
import { decodeDirectoryEntries, readAll } from "@agentos/protocol";

/** The names in a directory of a VM, sorted. Rejects with `FILE_SYSTEM`. */
export async function readVmDirectory(files: VmFiles, path: string): Promise<string[]> {
  const { bytes } = await readAll((reader) => files.readdir(path, reader));
  return decodeDirectoryEntries(bytes).map(({ name }) => name);
}
