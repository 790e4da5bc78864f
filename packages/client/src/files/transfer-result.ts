import type { FileType } from "@agentos/protocol";

/** What an upload or download copied. */
export interface TransferResult {
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
