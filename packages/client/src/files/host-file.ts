import { ftruncateSync, write as writeCallback, writeSync } from "node:fs";
import { promisify } from "node:util";

import type { TreeAttributes } from "@agentos/protocol";

import { discard, type HostDirectory, type NewFile } from "./host-directory.ts";

/** Pieces of smaller files are written by synchronous calls. */
const SMALL_FILE_BYTES = 256 * 1024;
const write = promisify(writeCallback);

/** A file of the host that is written as its pieces come. */
export class HostFile {
  readonly #directory: HostDirectory;
  readonly #attributes: TreeAttributes;
  readonly #size: number;
  readonly #file: NewFile;
  #end = 0;

  constructor(
    directory: HostDirectory,
    name: Uint8Array,
    { mode, mtimeMs, size }: TreeAttributes & { size: number },
  ) {
    this.#directory = directory;
    this.#attributes = { mode, mtimeMs };
    this.#size = size;
    this.#file = directory.create(name);
  }

  get size(): number {
    return this.#size;
  }

  /** Undefined: it is written already. */
  write(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    this.#end = offset + bytes.byteLength;
    if (this.#size > SMALL_FILE_BYTES) return this.#write(offset, bytes);
    const { fd } = this.#file;
    for (let at = 0; at < bytes.byteLength;)
      at += writeSync(fd, bytes, at, bytes.byteLength - at, offset + at);
    return undefined;
  }

  /** It is whole. What no piece covered is zeros. */
  finish(): void {
    if (this.#end < this.#size) ftruncateSync(this.#file.fd, this.#size);
    this.#directory.keep(this.#file, this.#attributes);
  }

  /** Nothing of it stays. */
  abandon(): void {
    discard(this.#file);
  }

  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) {
      const length = bytes.byteLength - at;
      at += (await write(this.#file.fd, bytes, at, length, offset + at)).bytesWritten;
    }
  }
}
