import type { VmFiles } from "@agentos/core";
import { DEFAULTS, type FileStat, readAll } from "@agentos/protocol";

/** The first `maxBytes` of a file in a VM, and its facts. Rejects with `FILE_SYSTEM`. */
export async function readFile(
  files: VmFiles,
  path: string,
  maxBytes: number,
): Promise<{ bytes: Buffer; stat: FileStat }> {
  const windowBytes = DEFAULTS.streamWindowBytes;
  return await readAll((reader) =>
    files.read({ path, start: 0, length: maxBytes, windowBytes }, reader),
  );
}
