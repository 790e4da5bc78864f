import type { VmFiles } from "@agentos/core";
import { DEFAULTS, writeAll } from "@agentos/protocol";

export interface WriteChoice {
  path: string;
  bytes: Uint8Array;
  how: "truncate" | "exclusive";
}

/** Writes a whole file in a VM. Rejects with `FILE_SYSTEM`. */
export async function writeFile(files: VmFiles, choice: WriteChoice): Promise<void> {
  const { path, how, bytes } = choice;
  const windowBytes = DEFAULTS.streamWindowBytes;
  await writeAll(bytes, (sink) =>
    files.write({ path, how, mode: 0o644, start: 0, windowBytes }, sink),
  );
}
