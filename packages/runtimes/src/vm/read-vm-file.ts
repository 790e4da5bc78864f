import type { VmFiles } from "@agentos/core";
import { AgentOsError, ByteReader, DEFAULTS } from "@agentos/protocol";

/** A whole file of a VM. Rejects with `FILE_SYSTEM`, or with `INVALID_ARGUMENT` for one of more than `maxBytes`. */
export async function readVmFile(files: VmFiles, path: string, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const reader = new ByteReader((bytes) => chunks.push(Uint8Array.from(bytes)), "file");
  const { stat, stream } = await files.read(
    { path, start: 0, length: maxBytes + 1, windowBytes: DEFAULTS.transferWindowBytes },
    reader,
  );
  try {
    if (stat.size > maxBytes) throw tooLarge(path, maxBytes, stat.size);
    reader.attach(stream);
    await reader.ended;
    const bytes = Buffer.concat(chunks);
    if (bytes.byteLength > maxBytes) throw tooLarge(path, maxBytes, bytes.byteLength);
    return bytes;
  } finally {
    stream.close();
  }
}

function tooLarge(path: string, limit: number, actual: number): AgentOsError<"INVALID_ARGUMENT"> {
  const expected = `a file of at most ${limit} bytes`;
  const message = `${path}: expected ${expected}, got ${actual} bytes`;
  return new AgentOsError("INVALID_ARGUMENT", message, {
    argument: path,
    expected,
    actual: `${actual} bytes`,
  });
}
