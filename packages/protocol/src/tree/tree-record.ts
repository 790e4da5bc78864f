/** The kinds of record of a tree stream: docs/tree-stream.md. */
export const TREE_KIND = {
  directory: 0x44,
  up: 0x55,
  file: 0x46,
  link: 0x4c,
  hardLink: 0x48,
  skipped: 0x53,
  end: 0x45,
} as const;

export const TREE_BOUNDS = {
  nameBytes: 255,
  /** Of a link's content, or of the path that a hard link names. */
  textBytes: 4095,
  pieceBytes: 1024 * 1024,
  /** Directories within one another. */
  depth: 256,
} as const;

/** What a directory and a file have. */
export interface TreeAttributes {
  /** Permission bits, without set-id. */
  readonly mode: number;
  readonly mtimeMs: number;
}

/**
 * One record. Names are single path components, as bytes: they can't lead out of the directory that is open. Only
 * the top's is empty.
 */
export type TreeRecord =
  /** What follows lies in it, until `up`. */
  | ({ kind: "directory"; name: Uint8Array } & TreeAttributes)
  | { kind: "up" }
  /** Its pieces follow, in order, then `fileEnd`. What no piece covers is zeros. */
  | ({ kind: "file"; name: Uint8Array; size: number } & TreeAttributes)
  | { kind: "piece"; offset: number; bytes: Uint8Array }
  | { kind: "fileEnd" }
  | { kind: "link"; name: Uint8Array; content: Uint8Array }
  /** Another name of a file that the stream has had: its path below the top. */
  | { kind: "hardLink"; name: Uint8Array; path: Uint8Array }
  /** Neither of these, left out. `type` is a letter: c, b, p or s. */
  | { kind: "skipped"; name: Uint8Array; type: string }
  | { kind: "end" };
