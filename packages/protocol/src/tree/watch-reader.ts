import { AgentOsError } from "../agent-os-error.ts";

const KINDS = {
  R: "ready",
  C: "created",
  M: "modified",
  D: "removed",
  N: "renamed",
  O: "overflow",
} as const;
const DIRECTORY = "d";
const HEAD_BYTES = 2;
const MOST_PATH_BYTES = 4096;

/** What a watch tells: docs/watch-stream.md. Paths are below what is watched; empty for itself. */
export interface WatchRecord {
  readonly kind: (typeof KINDS)[keyof typeof KINDS];
  readonly isDirectory: boolean;
  readonly path: string;
  /** Of a rename: what it was called. */
  readonly from: string;
}

/** Reads what a watch tells as it comes. Throws `PROTOCOL_ERROR` for anything else. */
export class WatchReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** The records that these bytes complete. */
  push(chunk: Uint8Array): WatchRecord[] {
    const bytes = Buffer.concat([this.#rest, chunk]);
    const records: WatchRecord[] = [];
    let at = 0;
    for (;;) {
      const path = textAt(bytes, at + HEAD_BYTES);
      const from = path && textAt(bytes, path.end);
      if (path === undefined || from === undefined) break;
      const kind = kindOf(bytes[at]);
      const isDirectory = bytes[at + 1] === DIRECTORY.charCodeAt(0);
      records.push({ kind, isDirectory, path: path.text, from: from.text });
      at = from.end;
    }
    this.#rest = bytes.subarray(at);
    return records;
  }
}

function textAt(bytes: Buffer, at: number): { text: string; end: number } | undefined {
  if (at + 2 > bytes.byteLength) return undefined;
  const length = bytes.readUInt16LE(at);
  if (length > MOST_PATH_BYTES) throw malformed(`a path of ${length} bytes`);
  const end = at + 2 + length;
  return end > bytes.byteLength ? undefined : { text: bytes.toString("utf8", at + 2, end), end };
}

function kindOf(byte: number | undefined): WatchRecord["kind"] {
  const [, kind] = Object.entries(KINDS).find(([letter]) => letter.charCodeAt(0) === byte) ?? [];
  if (kind === undefined) throw malformed(`a record of kind ${byte}`);
  return kind;
}

function malformed(reason: string): AgentOsError<"PROTOCOL_ERROR"> {
  return new AgentOsError("PROTOCOL_ERROR", `the watch has ${reason}`, { reason });
}
