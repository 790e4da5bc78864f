import { createHash } from "node:crypto";

/** A file's name has 255 bytes; this leaves room for what is put behind it. */
const MOST_BYTES = 200;

/** The name of an agent's file: its own, as clients look for it, or a hash where no file can have that. */
export function stateFileName(agent: string): string {
  const isPlain = Buffer.byteLength(agent) <= MOST_BYTES && !/[/\\\0]|^\.{1,2}$/.test(agent);
  return isPlain ? agent : createHash("sha256").update(agent).digest("hex");
}
