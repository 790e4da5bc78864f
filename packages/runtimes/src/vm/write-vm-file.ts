import { posix } from "node:path";

import type { VmFiles } from "@agentos/core";
import { DEFAULTS, writeAll } from "@agentos/protocol";

/** Only its owner reads it: it may hold a session's token. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Writes a whole file of a VM, with the folders that it is in. Rejects with `FILE_SYSTEM`. */
export async function writeVmFile(
  files: VmFiles,
  path: string,
  content: string | Uint8Array,
): Promise<void> {
  await files.mkdir(posix.dirname(path), { mode: FOLDER_MODE, recursive: true });
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  await writeAll(bytes, (sink) =>
    files.write(
      {
        path,
        how: "truncate",
        mode: FILE_MODE,
        start: 0,
        windowBytes: DEFAULTS.streamWindowBytes,
      },
      sink,
    ),
  );
}
