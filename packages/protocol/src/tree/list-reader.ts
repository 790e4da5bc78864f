import { AgentOsError } from "../agent-os-error.ts";
import type { FileStat, FileType } from "../file.ts";
import { TREE_BOUNDS } from "./tree-record.ts";

const TYPES: ReadonlyMap<number, FileType> = new Map([
  [0x66, "file"],
  [0x64, "directory"],
  [0x6c, "symlink"],
  [0x63, "character_device"],
  [0x62, "block_device"],
  [0x70, "fifo"],
  [0x73, "socket"],
]);
const UP = 0x55;
const END = 0x45;
const HEAD_BYTES = 29;
const DIGEST_BYTES = 32;
const MODE_MASK = 0o7777;
const NS_PER_MS = 1_000_000n;

/** One file of a list. */
export interface ListedFile extends Pick<
  FileStat,
  "type" | "mode" | "size" | "mtimeMs" | "ctimeMs"
> {
  /** Below the top of the list, which is not listed itself. */
  readonly path: string;
  /** What a link says. */
  readonly target?: string;
  /** SHA-256 of a file of at most 1 MiB, where it was asked for: lower case, hexadecimal. */
  readonly digest?: string;
}

/** Reads a list of everything below a path as it comes: docs/list-stream.md. Throws `PROTOCOL_ERROR` for anything else. */
export class ListReader {
  #rest: Uint8Array = new Uint8Array(0);
  /** Of the directories that are open, the top's first. */
  readonly #open: string[] = [];
  #state: "top" | "within" | "ended" = "top";

  /** Whether the end has come: a list that ends without it was cut. */
  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** The files that these bytes complete. */
  push(chunk: Uint8Array): ListedFile[] {
    const bytes =
      this.#rest.byteLength === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const files: ListedFile[] = [];
    let at = 0;
    while (at < bytes.byteLength) {
      const taken = this.#record(bytes, at);
      if (taken === undefined) break;
      at = taken.end;
      if (taken.file !== undefined) files.push(taken.file);
    }
    this.#rest = bytes.subarray(at);
    return files;
  }

  #record(bytes: Buffer, at: number): { file?: ListedFile; end: number } | undefined {
    if (this.#state === "ended") throw malformed("bytes after its end");
    const kind = bytes[at];
    if (kind === UP || kind === END) {
      this.#close(kind);
      return { end: at + 1 };
    }
    const type = TYPES.get(kind ?? 0);
    if (type === undefined) throw malformed(`a record of kind ${kind}`);
    const name = textAt(bytes, at + HEAD_BYTES, TREE_BOUNDS.nameBytes);
    const target = name && textAt(bytes, name.end, TREE_BOUNDS.textBytes);
    const digest = target && digestAt(bytes, target.end);
    if (name === undefined || target === undefined || digest === undefined) return undefined;
    const { end } = digest;
    if (this.#state === "top") {
      if (type !== "directory" || name.text !== "") throw malformed("no top");
      this.#state = "within";
      this.#open.push("");
      return { end };
    }
    const path = this.#pathOf(name.text);
    if (type === "directory") this.#open.push(path);
    const sum = digest.text === "" ? {} : { digest: digest.text };
    const facts = { path, type, ...factsAt(bytes, at), ...sum };
    return { file: type === "symlink" ? { ...facts, target: target.text } : facts, end };
  }

  #pathOf(name: string): string {
    const above = this.#open.at(-1);
    if (above === undefined) throw malformed("a file after its top");
    if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0"))
      throw malformed("a name that is not one path component");
    if (this.#open.length > TREE_BOUNDS.depth + 1)
      throw malformed(`more than ${TREE_BOUNDS.depth} directories within one another`);
    return above === "" ? name : `${above}/${name}`;
  }

  #close(kind: number): void {
    if (kind === UP) {
      if (this.#open.pop() === undefined)
        throw malformed("the end of a directory that is not open");
    } else if (this.#state === "within" && this.#open.length === 0) this.#state = "ended";
    else throw malformed("an end within a directory");
  }
}

function factsAt(
  bytes: Buffer,
  at: number,
): Pick<ListedFile, "mode" | "size" | "mtimeMs" | "ctimeMs"> {
  const size = bytes.readBigUInt64LE(at + 5);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed("a number out of range");
  return {
    mode: bytes.readUInt32LE(at + 1) & MODE_MASK,
    size: Number(size),
    mtimeMs: milliseconds(bytes.readBigInt64LE(at + 13)),
    ctimeMs: milliseconds(bytes.readBigInt64LE(at + 21)),
  };
}

function textAt(
  bytes: Buffer,
  at: number,
  most: number,
): { text: string; end: number } | undefined {
  if (at + 2 > bytes.byteLength) return undefined;
  const length = bytes.readUInt16LE(at);
  if (length > most) throw malformed(`a name of ${length} bytes`);
  const end = at + 2 + length;
  return end > bytes.byteLength ? undefined : { text: bytes.toString("utf8", at + 2, end), end };
}

function digestAt(bytes: Buffer, at: number): { text: string; end: number } | undefined {
  const length = bytes[at];
  if (length === undefined) return undefined;
  if (length !== 0 && length !== DIGEST_BYTES) throw malformed(`a digest of ${length} bytes`);
  const end = at + 1 + length;
  return end > bytes.byteLength ? undefined : { text: bytes.toString("hex", at + 1, end), end };
}

function milliseconds(ns: bigint): number {
  return Number(ns / NS_PER_MS) + Number(ns % NS_PER_MS) / Number(NS_PER_MS);
}

function malformed(reason: string): AgentOsError<"PROTOCOL_ERROR"> {
  return new AgentOsError("PROTOCOL_ERROR", `the list has ${reason}`, { reason });
}
