import { AgentOsError } from "./agent-os-error.ts";
import type { FileType } from "./file.ts";

/** What a directory holds under a name. */
export interface DirectoryEntry {
  name: string;
  type: FileType;
}

const TYPES: ReadonlyMap<number, FileType> = new Map([
  [0x66, "file"],
  [0x64, "directory"],
  [0x6c, "symlink"],
  [0x63, "character_device"],
  [0x62, "block_device"],
  [0x70, "fifo"],
  [0x73, "socket"],
]);
const HEADER_BYTES = 3;

/** Unpacks a listing: per entry a type letter, two bytes of length and a name; sorted by name. Throws `PROTOCOL_ERROR` for a name that is no name. */
export function decodeDirectoryEntries(bytes: Buffer): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < HEADER_BYTES) throw malformed("half an entry");
    const type = TYPES.get(bytes.readUInt8(at));
    if (type === undefined) throw malformed(`type 0x${bytes.readUInt8(at).toString(16)}`);
    const end = at + HEADER_BYTES + bytes.readUInt16LE(at + 1);
    if (end > bytes.length) throw malformed("half a name");
    const name = bytes.toString("utf8", at + HEADER_BYTES, end);
    assertName(name);
    entries.push({ name, type });
    at = end;
  }
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

/** A name that could lead elsewhere than into its directory is refused. */
function assertName(name: string): void {
  const leadsAway = name === "" || name === "." || name === ".." || /[/\0]/.test(name);
  if (leadsAway) throw malformed(`the name ${JSON.stringify(name)}`);
}

function malformed(what: string): AgentOsError {
  const reason = `a directory listing holds ${what}`;
  return new AgentOsError("PROTOCOL_ERROR", reason, { reason });
}
