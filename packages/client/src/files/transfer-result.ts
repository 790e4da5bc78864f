import type { Stats } from "node:fs";

import type { FileType } from "@agentos/protocol";

/** What an upload or download copied. */
export interface TransferResult {
  /** Each name of a file counts. */
  files: number;
  directories: number;
  links: number;
  bytes: number;
  /** What is neither file, directory nor link is left out. */
  skipped: { path: string; type: FileType }[];
}

export function emptyTransfer(): TransferResult {
  return { files: 0, directories: 0, links: 0, bytes: 0, skipped: [] };
}

/** The type of what is neither file, directory nor link. */
export function fileTypeOf(stat: Stats): FileType {
  if (stat.isFIFO()) return "fifo";
  if (stat.isSocket()) return "socket";
  return stat.isBlockDevice() ? "block_device" : "character_device";
}
