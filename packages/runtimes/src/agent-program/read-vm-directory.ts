import type { VmFiles } from "@agentos/core";
import { ByteReader, decodeDirectoryEntries } from "@agentos/protocol";

/** The names in a directory of a VM, sorted. Rejects with `FILE_SYSTEM`. */
export async function readVmDirectory(files: VmFiles, path: string): Promise<string[]> {
  const chunks: Uint8Array[] = [];
  const reader = new ByteReader((bytes) => chunks.push(Uint8Array.from(bytes)), "file");
  const { stream } = await files.readdir(path, reader);
  reader.attach(stream);
  try {
    await reader.ended;
  } finally {
    stream.close();
  }
  return decodeDirectoryEntries(Buffer.concat(chunks)).map(({ name }) => name);
}
