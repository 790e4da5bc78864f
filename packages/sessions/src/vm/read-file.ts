import type { VmFiles } from "@agentos/core";
import { ByteReader, DEFAULTS, type FileStat } from "@agentos/protocol";

/** The first `maxBytes` of a file in a VM, and its facts. Rejects with `FILE_SYSTEM`. */
export async function readFile(
  files: VmFiles,
  path: string,
  maxBytes: number,
): Promise<{ bytes: Buffer; stat: FileStat }> {
  const chunks: Uint8Array[] = [];
  const reader = new ByteReader((bytes) => chunks.push(Uint8Array.from(bytes)), "file");
  const request = { path, start: 0, length: maxBytes, windowBytes: DEFAULTS.streamWindowBytes };
  const { stat, stream } = await files.read(request, reader);
  reader.attach(stream);
  try {
    await reader.ended;
  } finally {
    stream.close();
  }
  return { bytes: Buffer.concat(chunks), stat };
}
