import { TREE_KIND, type TreeAttributes } from "./tree-record.ts";

const MODE_MASK = 0o777;
const NANOSECONDS = 1_000_000;
const MICROSECONDS = 1_000n;

/** Encodes the records of a tree stream. */
export const writeTree = {
  directory(name: Uint8Array, attributes: TreeAttributes): Buffer {
    const bytes = Buffer.allocUnsafe(15 + name.byteLength);
    putText(bytes, putAttributes(bytes, TREE_KIND.directory, attributes), name);
    return bytes;
  },

  up: Buffer.of(TREE_KIND.up),

  file(name: Uint8Array, attributes: TreeAttributes, size: number): Buffer {
    const bytes = Buffer.allocUnsafe(23 + name.byteLength);
    const at = putAttributes(bytes, TREE_KIND.file, attributes);
    bytes.writeBigUInt64LE(BigInt(size), at);
    putText(bytes, at + 8, name);
    return bytes;
  },

  /** What stands before a piece's bytes. */
  piece(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(12);
    bytes.writeBigUInt64LE(BigInt(offset), 0);
    bytes.writeUInt32LE(length, 8);
    return bytes;
  },

  fileEnd: Buffer.alloc(12),

  link(name: Uint8Array, content: Uint8Array): Buffer {
    return two(TREE_KIND.link, name, content);
  },

  hardLink(name: Uint8Array, path: Uint8Array): Buffer {
    return two(TREE_KIND.hardLink, name, path);
  },

  skipped(name: Uint8Array, type: string): Buffer {
    const bytes = Buffer.allocUnsafe(4 + name.byteLength);
    bytes[0] = TREE_KIND.skipped;
    bytes[1] = type.charCodeAt(0);
    putText(bytes, 2, name);
    return bytes;
  },

  end: Buffer.of(TREE_KIND.end),
};

function putAttributes(bytes: Buffer, kind: number, { mode, mtimeMs }: TreeAttributes): number {
  bytes[0] = kind;
  bytes.writeUInt32LE(mode & MODE_MASK, 1);
  // Whole microseconds: a double holds no more.
  const micros = BigInt(Math.max(0, Math.floor((mtimeMs * NANOSECONDS) / 1000)));
  bytes.writeBigUInt64LE(micros * MICROSECONDS, 5);
  return 13;
}

function putText(bytes: Buffer, at: number, text: Uint8Array): number {
  bytes.writeUInt16LE(text.byteLength, at);
  bytes.set(text, at + 2);
  return at + 2 + text.byteLength;
}

function two(kind: number, name: Uint8Array, text: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(5 + name.byteLength + text.byteLength);
  bytes[0] = kind;
  putText(bytes, putText(bytes, 1, name), text);
  return bytes;
}
