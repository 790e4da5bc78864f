import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";

/** Up to this size a file is read in one piece. */
const WHOLE_FILE_BYTES = 64 * 1024;
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const IS_A_LINK = "ELOOP";

/** What lies at a path of the host, read as far as it is small. `fd` is the receiver's to close. */
export type HostEntry =
  | { kind: "directory" | "other"; stat: Stats }
  | { kind: "link"; stat: Stats; content: Buffer }
  | { kind: "file"; stat: Stats; content: Buffer }
  | { kind: "large"; stat: Stats; fd: number };

/** Reads one entry. What is a link when it is looked at is never followed. */
export function readHostEntry(path: Buffer): HostEntry {
  const stat = lstatSync(path);
  if (stat.isDirectory()) return { kind: "directory", stat };
  if (stat.isSymbolicLink())
    return { kind: "link", stat, content: readlinkSync(path, { encoding: "buffer" }) };
  return stat.isFile() ? readHostFile(path) : { kind: "other", stat };
}

/** The same, where it was a regular file a moment ago. */
export function readHostFile(path: Buffer): HostEntry {
  let fd: number;
  try {
    // It may have become a link or a pipe.
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === IS_A_LINK)
      return readHostEntry(path);
    throw error;
  }
  let isKept = false;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return { kind: "other", stat };
    isKept = stat.size > WHOLE_FILE_BYTES;
    if (isKept) return { kind: "large", stat, fd };
    const content = Buffer.allocUnsafe(stat.size);
    const length = readSync(fd, content, 0, stat.size, 0);
    return { kind: "file", stat, content: content.subarray(0, length) };
  } finally {
    if (!isKept) closeSync(fd);
  }
}
