import type { VmFiles } from "@agentos/core";
import { ByteReader, decodeDirectoryEntries, type DirectoryEntry } from "@agentos/protocol";

/** What a directory of a VM holds, sorted by name. Rejects with `FILE_SYSTEM`. */
export async function readDirectory(files: VmFiles, path: string): Promise<DirectoryEntry[]> {
  const chunks: Uint8Array[] = [];
  const reader = new ByteReader((bytes) => chunks.push(Uint8Array.from(bytes)), "file");
  const { stream } = await files.readdir(path, reader);
  reader.attach(stream);
  try {
    await reader.ended;
  } finally {
    stream.close();
  }
  return decodeDirectoryEntries(Buffer.concat(chunks));
}
