import { AgentOsError } from "../agent-os-error.ts";
import { TREE_BOUNDS, TREE_KIND, type TreeAttributes, type TreeRecord } from "./tree-record.ts";

const MODE_MASK = 0o777;
const NANOSECONDS = 1_000_000;
const SLASH = 0x2f;
const DOT = 0x2e;
const ATTRIBUTES_BYTES = 13;
const PIECE_HEAD_BYTES = 12;

interface OpenFile {
  readonly size: number;
  /** Everything below it has come, or never will. */
  at: number;
  /** Still to come of the piece that has begun. */
  left: number;
}

/** Reads a tree stream as it comes. Whatever is not as the format says throws `PROTOCOL_ERROR`. */
export class TreeReader {
  #rest: Uint8Array = new Uint8Array(0);
  #depth = 0;
  #file: OpenFile | undefined;
  #state: "top" | "within" | "closed" | "ended" = "top";

  /** Whether the end has come: a stream that ends without it was cut. */
  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** The records that these bytes complete. A piece of a file comes in as many parts as it does. */
  *push(chunk: Uint8Array): Generator<TreeRecord, void> {
    let bytes = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.byteLength > 0) {
      const taken: Taken | undefined =
        this.#file === undefined ? this.#record(bytes) : this.#piece(bytes, this.#file);
      if (taken === undefined) break;
      bytes = bytes.subarray(taken.length);
      if (taken.record !== undefined) yield taken.record;
    }
    this.#rest = bytes;
  }

  #record(bytes: Uint8Array): Taken | undefined {
    if (this.#state === "ended") throw malformed("bytes after the end");
    const kind = bytes[0];
    const isTop = this.#state === "top";
    if (this.#state === "closed" && kind !== TREE_KIND.end)
      throw malformed("a record after the top");
    const fields = new Fields(bytes);
    const record = this.#parse(kind, fields, isTop);
    if (record === undefined || fields.isShort) return undefined;
    if (isTop && record.kind !== "directory" && record.kind !== "file")
      throw malformed("a stream that begins with neither a directory nor a file");
    this.#enter(record);
    return { record, length: fields.at };
  }

  #parse(kind: number | undefined, fields: Fields, isTop: boolean): TreeRecord | undefined {
    switch (kind) {
      case TREE_KIND.directory:
        return { kind: "directory", ...fields.attributes(), name: fields.name(isTop) };
      case TREE_KIND.up:
        return { kind: "up" };
      case TREE_KIND.file:
        return {
          kind: "file",
          ...fields.attributes(),
          size: fields.size(),
          name: fields.name(isTop),
        };
      case TREE_KIND.link:
        return { kind: "link", name: fields.name(isTop), content: fields.text() };
      case TREE_KIND.hardLink:
        return { kind: "hardLink", name: fields.name(isTop), path: fields.text() };
      case TREE_KIND.skipped:
        return { kind: "skipped", type: fields.letter(), name: fields.name(isTop) };
      case TREE_KIND.end:
        return { kind: "end" };
      case undefined:
      default:
        throw malformed(`a record of kind ${kind}`);
    }
  }

  #enter(record: TreeRecord): void {
    if (record.kind === "directory") {
      this.#depth += 1;
      this.#state = "within";
      if (this.#depth > TREE_BOUNDS.depth)
        throw malformed(`more than ${TREE_BOUNDS.depth} directories within one another`);
    } else if (record.kind === "up") {
      if (this.#depth === 0) throw malformed("the end of a directory that is not open");
      this.#depth -= 1;
    } else if (record.kind === "file") this.#file = { size: record.size, at: 0, left: 0 };
    else if (record.kind === "end") {
      if (this.#state !== "closed") throw malformed("an end within a directory");
      this.#state = "ended";
      return;
    }
    if (this.#depth === 0) this.#state = "closed";
  }

  #piece(bytes: Uint8Array, file: OpenFile): Taken | undefined {
    if (file.left > 0) {
      const part = bytes.subarray(0, file.left);
      const record: TreeRecord = { kind: "piece", offset: file.at, bytes: part };
      file.at += part.byteLength;
      file.left -= part.byteLength;
      return { record, length: part.byteLength };
    }
    if (bytes.byteLength < PIECE_HEAD_BYTES) return undefined;
    const view = viewOf(bytes);
    const offset = safe(view.getBigUint64(0, true));
    const length = view.getUint32(8, true);
    if (length === 0) {
      this.#file = undefined;
      return { record: { kind: "fileEnd" }, length: PIECE_HEAD_BYTES };
    }
    const fits =
      length <= TREE_BOUNDS.pieceBytes && offset >= file.at && offset + length <= file.size;
    if (!fits) throw malformed("a piece that is not within its file");
    file.at = offset;
    file.left = length;
    return { record: undefined, length: PIECE_HEAD_BYTES };
  }
}

interface Taken {
  readonly record: TreeRecord | undefined;
  /** Bytes of it. */
  readonly length: number;
}

/** The fields of one record. `isShort`: not all of it is here yet. */
class Fields {
  at = 1;
  isShort = false;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  attributes(): TreeAttributes {
    const at = this.#take(ATTRIBUTES_BYTES - 1);
    if (at === undefined) return { mode: 0, mtimeMs: 0 };
    const mtimeMs = Number(this.#view.getBigUint64(at + 4, true)) / NANOSECONDS;
    return { mode: this.#view.getUint32(at, true) & MODE_MASK, mtimeMs };
  }

  size(): number {
    const at = this.#take(8);
    return at === undefined ? 0 : safe(this.#view.getBigUint64(at, true));
  }

  letter(): string {
    const at = this.#take(1);
    return at === undefined ? "" : String.fromCharCode(this.#bytes[at] ?? 0);
  }

  /** One path component. */
  name(isTop: boolean): Uint8Array {
    const name = this.#text(TREE_BOUNDS.nameBytes);
    if (this.isShort) return name;
    const isDots = name.every((byte) => byte === DOT) && name.byteLength <= 2;
    const isName = name.byteLength > 0 && !isDots && !name.includes(SLASH);
    if (isTop ? name.byteLength > 0 : !isName)
      throw malformed("a name that is not one path component");
    return name;
  }

  text(): Uint8Array {
    const text = this.#text(TREE_BOUNDS.textBytes);
    if (!this.isShort && text.byteLength === 0) throw malformed("an empty path");
    return text;
  }

  #text(most: number): Uint8Array {
    const at = this.#take(2);
    if (at === undefined) return new Uint8Array(0);
    const length = this.#view.getUint16(at, true);
    if (length > most) throw malformed(`a name of ${length} bytes`);
    const from = this.#take(length);
    if (from === undefined) return new Uint8Array(0);
    const text = this.#bytes.subarray(from, from + length);
    if (text.includes(0)) throw malformed("a name with a NUL");
    return text;
  }

  #take(length: number): number | undefined {
    const { at } = this;
    if (at + length > this.#bytes.byteLength) this.isShort = true;
    if (this.isShort) return undefined;
    this.at += length;
    return at;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed("a size beyond all files");
  return Number(value);
}

function malformed(reason: string): AgentOsError<"PROTOCOL_ERROR"> {
  return new AgentOsError("PROTOCOL_ERROR", `the tree stream has ${reason}`, { reason });
}
