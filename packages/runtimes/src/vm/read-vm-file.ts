import type { VmFiles } from "@agentos/core";
import { AgentOsError, DEFAULTS, readAll } from "@agentos/protocol";

/** A whole file of a VM. Rejects with `FILE_SYSTEM`, or with `INVALID_ARGUMENT` for one of more than `maxBytes`. */
export async function readVmFile(files: VmFiles, path: string, maxBytes: number): Promise<Buffer> {
  const windowBytes = DEFAULTS.transferWindowBytes;
  const { bytes } = await readAll(
    (reader) => files.read({ path, start: 0, length: maxBytes + 1, windowBytes }, reader),
    ({ stat }) => {
      if (stat.size > maxBytes) throw tooLarge(path, maxBytes, stat.size);
    },
  );
  if (bytes.byteLength > maxBytes) throw tooLarge(path, maxBytes, bytes.byteLength);
  return bytes;
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
