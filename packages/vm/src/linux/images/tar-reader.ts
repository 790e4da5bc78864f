import type { ByteSource } from "./byte-source.ts";

const BLOCK = 512;
/** Of a name or the attributes of an entry. */
const MAX_META_BYTES = 64 * 1024;

type TarType = "file" | "directory" | "symlink" | "link" | "device" | "fifo";

export interface TarEntry {
  readonly name: string;
  readonly type: TarType;
  readonly mode: number;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
  /** Of a link. */
  readonly target: string;
}

const TYPES: Readonly<Record<string, TarType>> = {
  "": "file",
  "0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
  "3": "device",
  "4": "device",
  "5": "directory",
  "6": "fifo",
};

/** The archive is not one that can be taken. */
export class TarError extends Error {}

/** Reads a tar archive entry by entry. The content of each must be read or skipped before the next. */
export class TarReader {
  readonly #source: ByteSource;
  #left = 0;
  #padding = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Undefined at the end. Throws `TarError`. */
  async next(): Promise<TarEntry | undefined> {
    await this.skip();
    const attributes = new Map<string, string>();
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- One block after the other.
      const header = await this.#header();
      if (header === undefined) return undefined;
      const type = text(header, 156, 1);
      const size = number(header, 124, 12);
      if (type === "S") throw new TarError("a sparse file");
      if (!["x", "g", "L", "K"].includes(type)) return this.#entry(header, size, attributes);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      const meta = await this.#meta(size);
      if (type === "L") attributes.set("path", cString(meta));
      else if (type === "K") attributes.set("linkpath", cString(meta));
      else if (type === "x") readPax(meta, attributes);
    }
  }

  /** A piece of the entry's content; undefined at its end. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#left === 0) return undefined;
    const piece = await this.#source.some(this.#left);
    this.#left -= piece.byteLength;
    return piece;
  }

  /** What is left of the entry. */
  async skip(): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- As it comes.
    while ((await this.read()) !== undefined);
    await this.#source.exactly(this.#padding);
    this.#padding = 0;
  }

  async #header(): Promise<Buffer | undefined> {
    const block = await this.#source.upTo(BLOCK);
    if (block.byteLength === 0) return undefined;
    if (block.byteLength < BLOCK) throw new TarError("it is cut");
    if (block.every((byte) => byte === 0)) return undefined;
    const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
    if (sum !== number(block, 148, 8)) throw new TarError("a header is damaged");
    return block;
  }

  async #meta(size: number): Promise<Buffer> {
    if (size > MAX_META_BYTES) throw new TarError("an entry's attributes are too long");
    const bytes = await this.#source.exactly(size);
    await this.#source.exactly(paddingOf(size));
    return bytes;
  }

  #entry(header: Buffer, headerSize: number, attributes: ReadonlyMap<string, string>): TarEntry {
    for (const name of attributes.keys())
      if (name.startsWith("GNU.sparse.")) throw new TarError("a sparse file");
    const type = TYPES[text(header, 156, 1)];
    if (type === undefined) throw new TarError("an entry of an unknown type");
    const size = attributes.has("size") ? Number(attributes.get("size")) : headerSize;
    if (!Number.isSafeInteger(size) || size < 0) throw new TarError("an entry's size is nonsense");
    const content = type === "file" ? size : 0;
    this.#left = content;
    this.#padding = paddingOf(content);
    const prefix = text(header, 257, 5) === "ustar" ? text(header, 345, 155) : "";
    const own = text(header, 0, 100);
    return {
      type,
      size: content,
      name: attributes.get("path") ?? (prefix === "" ? own : `${prefix}/${own}`),
      target: attributes.get("linkpath") ?? text(header, 157, 100),
      mode: number(header, 100, 8) & 0o7777,
      mtime: number(header, 136, 12) * 1000,
    };
  }
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end === -1 ? bytes.byteLength : end);
}

function text(header: Buffer, at: number, length: number): string {
  return cString(header.subarray(at, at + length));
}

/** Octal, or base 256 where the first bit is set. */
function number(header: Buffer, at: number, length: number): number {
  const field = header.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) !== 0) return Number(field.readBigUInt64BE(length - 8));
  const digits = cString(field).trim();
  if (!/^[0-7]*$/.test(digits)) throw new TarError("a header's number is nonsense");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function readPax(meta: Buffer, attributes: Map<string, string>): void {
  for (let at = 0; at < meta.byteLength;) {
    const space = meta.indexOf(0x20, at);
    const length = space === -1 ? Number.NaN : Number(meta.toString("latin1", at, space));
    if (!Number.isSafeInteger(length) || length <= space - at || at + length > meta.byteLength)
      throw new TarError("an entry's attributes are damaged");
    const [, name = "", value = ""] =
      /^([^=]*)=([^]*)\n$/.exec(meta.toString("utf8", space + 1, at + length)) ?? [];
    attributes.set(name, value);
    at += length;
  }
}
