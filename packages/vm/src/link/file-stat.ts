import type { FileStat, FileType } from "@agentos/protocol";

import { PayloadReader } from "./payload-reader.ts";
import { violation } from "./violation.ts";

const TYPES: ReadonlyMap<number, FileType> = new Map([
  [0x66, "file"],
  [0x64, "directory"],
  [0x6c, "symlink"],
  [0x63, "character_device"],
  [0x62, "block_device"],
  [0x70, "fifo"],
  [0x73, "socket"],
]);

const PERMISSION_BITS = 0o7777;
const SAFE_BITS = 53;
const NS_PER_MS = 1_000_000n;

/** Reads the 72 bytes of a stat. Throws `PROTOCOL_ERROR`. */
export function readFileStat(bytes: Uint8Array): FileStat {
  const payload = new PayloadReader(bytes);
  const type = TYPES.get(payload.u8());
  if (type === undefined) throw violation("a file type that is none");
  payload.bytes(3);
  const mode = payload.u32() & PERMISSION_BITS;
  const size = payload.u64();
  // Only equality matters of an inode's number, and some file systems use all 64 bits.
  const ino = Number(BigInt.asUintN(SAFE_BITS, payload.bigU64()));
  const nlink = payload.u32();
  const uid = payload.u32();
  const gid = payload.u32();
  payload.u32();
  const mtimeMs = milliseconds(payload.bigU64());
  const atimeMs = milliseconds(payload.bigU64());
  const ctimeMs = milliseconds(payload.bigU64());
  payload.bigU64();
  payload.finish();
  return { type, mode, size, ino, nlink, uid, gid, mtimeMs, atimeMs, ctimeMs };
}

function milliseconds(value: bigint): number {
  const nanoseconds = BigInt.asIntN(64, value);
  return Number(nanoseconds / NS_PER_MS) + Number(nanoseconds % NS_PER_MS) / Number(NS_PER_MS);
}
