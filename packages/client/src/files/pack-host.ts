import { closeSync, read as readCallback, readdirSync, type Stats } from "node:fs";
import { promisify } from "node:util";

import { writeTree } from "@agentos/protocol";

import { Batch } from "./batch.ts";
import type { ExclusionRules } from "./exclusion-rules.ts";
import { type HostEntry, readHostEntry, readHostFile } from "./host-entry.ts";
import { Pace } from "./pace.ts";
import { fileTypeOf, type TransferResult } from "./transfer-result.ts";

const PIECE_BYTES = 128 * 1024;
/** What `Stats.blocks` counts in. */
const BLOCK_BYTES = 512;
/** Files with several names that are remembered; further ones are sent under each name. */
const MOST_LINKED = 16_384;
const SLASH = Buffer.from("/");
const ZEROS = Buffer.alloc(PIECE_BYTES);
const NOTHING = Buffer.alloc(0);
const read = promisify(readCallback);

/** An entry, where it lies. Names are bytes: they need not be UTF-8. */
interface Place {
  readonly name: Buffer;
  readonly path: Buffer;
  /** Its path below the top. */
  readonly below: Buffer;
}

/** One walk through a tree of the host, as a tree stream. */
export class HostPack {
  readonly #rules: ExclusionRules;
  readonly #result: TransferResult;
  readonly #batch = new Batch();
  readonly #pace = new Pace();
  readonly #linked = new Map<string, Buffer>();

  /** `result` is counted up as the walk goes. */
  constructor(rules: ExclusionRules, result: TransferResult) {
    this.#rules = rules;
    this.#result = result;
  }

  /** The stream of what lies at `path`, which is a file or a directory. */
  async *bytes(path: string): AsyncGenerator<Uint8Array, void> {
    const top = { name: NOTHING, path: Buffer.from(path), below: NOTHING };
    yield* this.#entry(readHostEntry(top.path), top, this.#rules);
    this.#batch.add(writeTree.end);
    yield this.#batch.take();
  }

  async *#entry(
    entry: HostEntry,
    place: Place,
    rules: ExclusionRules,
  ): AsyncGenerator<Uint8Array, void> {
    if (entry.kind === "directory") yield* this.#directory(place, entry.stat, rules);
    else if (entry.kind === "large") yield* this.#large(entry.fd, place, entry.stat);
    else this.#small(entry, place);
    if (this.#batch.isFull) yield this.#batch.take();
  }

  async *#directory(
    place: Place,
    stat: Stats,
    above: ExclusionRules,
  ): AsyncGenerator<Uint8Array, void> {
    const { path, below } = place;
    this.#batch.add(writeTree.directory(place.name, stat));
    this.#result.directories += 1;
    const rules = above.enter(path, below);
    for (const entry of readdirSync(path, { withFileTypes: true, encoding: "buffer" })) {
      const { name } = entry;
      const own = { name, path: join(path, name), below: join(below, name) };
      if (rules.excludes(own.below, entry.isDirectory())) continue;
      const found = entry.isFile() ? readHostFile(own.path) : readHostEntry(own.path);
      // Most entries are small files, which need no generator of their own.
      if (found.kind === "file" && !this.#batch.isFull) this.#small(found, own);
      else yield* this.#entry(found, own, rules);
      if (this.#pace.isDue) await this.#pace.breathe();
    }
    this.#batch.add(writeTree.up);
  }

  #small(entry: HostEntry, place: Place): void {
    const { name, path } = place;
    if (entry.kind === "file") this.#file(entry.content, place, entry.stat);
    else if (entry.kind === "link") {
      this.#batch.add(writeTree.link(name, entry.content));
      this.#result.links += 1;
    } else if (entry.kind === "other")
      this.#result.skipped.push({ path: path.toString(), type: fileTypeOf(entry.stat) });
  }

  #file(content: Buffer, place: Place, stat: Stats): void {
    if (this.#isAnotherName(place, stat)) return;
    const { byteLength: size } = content;
    this.#batch.add(writeTree.file(place.name, stat, size));
    if (size > 0) this.#batch.add(writeTree.piece(0, size), content);
    this.#batch.add(writeTree.fileEnd);
    this.#result.files += 1;
    this.#result.bytes += size;
  }

  async *#large(fd: number, place: Place, stat: Stats): AsyncGenerator<Uint8Array, void> {
    try {
      if (this.#isAnotherName(place, stat)) return;
      this.#batch.add(writeTree.file(place.name, stat, stat.size));
      yield* this.#pieces(fd, stat);
      this.#batch.add(writeTree.fileEnd);
      this.#result.files += 1;
      this.#result.bytes += stat.size;
    } finally {
      closeSync(fd);
    }
  }

  /** What grows meanwhile keeps the size that it had; what shrinks is filled with zeros. */
  async *#pieces(fd: number, { size, blocks }: Stats): AsyncGenerator<Uint8Array, void> {
    const isSparse = blocks * BLOCK_BYTES < size;
    for (let at = 0; at < size;) {
      const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size - at));
      const { bytesRead } = await read(fd, buffer, 0, buffer.byteLength, at);
      if (bytesRead === 0) return;
      const piece = buffer.subarray(0, bytesRead);
      const isHole = isSparse && piece.equals(ZEROS.subarray(0, bytesRead));
      if (!isHole) this.#batch.add(writeTree.piece(at, bytesRead), piece);
      at += bytesRead;
      if (this.#batch.isFull) yield this.#batch.take();
    }
  }

  /** Whether this file has been sent under another name, and was sent as that. */
  #isAnotherName({ name, below }: Place, stat: Stats): boolean {
    if (stat.nlink < 2) return false;
    const key = `${stat.dev}:${stat.ino}`;
    const path = this.#linked.get(key);
    if (path === undefined) {
      if (this.#linked.size < MOST_LINKED && below.byteLength > 0) this.#linked.set(key, below);
      return false;
    }
    this.#batch.add(writeTree.hardLink(name, path));
    this.#result.files += 1;
    return true;
  }
}

function join(directory: Buffer, name: Buffer): Buffer {
  return directory.byteLength === 0 ? name : Buffer.concat([directory, SLASH, name]);
}
