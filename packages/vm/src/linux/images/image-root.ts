import { createWriteStream } from "node:fs";
import {
  chmod,
  link,
  lstat,
  mkdir,
  readdir,
  readlink,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";

import { type TarEntry, TarError, type TarReader } from "./tar-reader.ts";

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
const MAX_LINKS = 40;
const MAX_NAME_BYTES = 4096;
const MAX_PART_BYTES = 255;

/** What all layers of an image together may hold. */
export interface ImageBounds {
  readonly bytes: number;
  readonly entries: number;
}

/**
 * A directory that layers are unpacked into, one on top of the other. No name leads out of it, whatever links the
 * layers bring: each is resolved as a program with this root would. Nobody else changes it meanwhile.
 */
export class ImageRoot {
  readonly #root: string;
  #bytes: number;
  #entries: number;
  /** What this layer has made: an opaque mark is about the layers below. */
  #made = new Set<string>();

  constructor(root: string, bounds: ImageBounds) {
    this.#root = root;
    this.#bytes = bounds.bytes;
    this.#entries = bounds.entries;
  }

  /** Throws `TarError` for what can't be trusted. */
  async unpack(layer: TarReader): Promise<void> {
    this.#made = new Set();
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- In the order of the archive.
      const entry = await layer.next();
      if (entry === undefined) return;
      this.#entries -= 1;
      this.#bytes -= entry.size;
      if (this.#entries < 0) throw new TarError("more files than an image may have");
      if (this.#bytes < 0) throw new TarError("more bytes than an image may have");
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await this.#put(entry, layer);
    }
  }

  async #put(entry: TarEntry, layer: TarReader): Promise<void> {
    const parts = partsOf(entry.name);
    const name = parts.pop();
    // The root itself.
    if (name === undefined) return;
    if (entry.type === "device") throw new TarError(`a device: ${entry.name}`);
    const parent = await this.#directory(parts);
    if (name === OPAQUE) return await this.#clear(parent);
    const path = join(parent, name);
    if (name.startsWith(WHITEOUT)) {
      const hidden = name.slice(WHITEOUT.length);
      if (hidden === "" || hidden === "." || hidden === "..")
        throw new TarError("a mark of removal without a name");
      return await rm(join(parent, hidden), { recursive: true, force: true });
    }
    this.#made.add(path);
    await this.#make(path, parts.length, entry, layer);
  }

  async #make(path: string, depth: number, entry: TarEntry, layer: TarReader): Promise<void> {
    const there = await lstat(path).catch(() => undefined);
    if (entry.type === "directory") {
      if (there?.isDirectory() !== true) {
        if (there !== undefined) await rm(path);
        await mkdir(path);
      }
      // Its owner must get in, to unpack what follows and to remove it.
      return await chmod(path, (entry.mode & 0o1777) | 0o700);
    }
    if (there !== undefined) await rm(path, { recursive: true });
    if (entry.type === "symlink") {
      checkLink(entry, depth);
      return await symlink(entry.target, path);
    }
    if (entry.type === "link") return await this.#link(path, entry);
    if (entry.type === "file") await writeEntry(path, entry, layer);
  }

  async #link(path: string, { name, target }: TarEntry): Promise<void> {
    const parts = partsOf(target);
    const last = parts.pop() ?? "";
    const source = join(await this.#directory(parts), last);
    const found = await lstat(source).catch(() => undefined);
    if (found?.isFile() !== true)
      throw new TarError(`a hard link to what is no file of the image: ${name}`);
    await link(source, path);
  }

  /** The directory of the parts, made where it is missing. Links are followed within the root. */
  async #directory(parts: readonly string[]): Promise<string> {
    const left = parts.toReversed();
    const at: string[] = [];
    for (let links = 0; ;) {
      const part = left.pop();
      if (part === undefined) return join(this.#root, ...at);
      if (part === "" || part === ".") continue;
      if (part === "..") {
        at.pop();
        continue;
      }
      const path = join(this.#root, ...at, part);
      // oxlint-disable-next-line no-await-in-loop -- Each part depends on the one before.
      const found = await lstat(path).catch(() => undefined);
      if (found?.isSymbolicLink() === true) {
        links += 1;
        if (links > MAX_LINKS)
          throw new TarError(`links that lead in a circle: ${parts.join("/")}`);
        // oxlint-disable-next-line no-await-in-loop -- As above.
        const content = await readlink(path);
        if (content.startsWith("/")) at.length = 0;
        left.push(...content.split("/").toReversed());
        continue;
      }
      if (found !== undefined && !found.isDirectory())
        throw new TarError(`a file below what is no directory: ${parts.join("/")}`);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      if (found === undefined) await mkdir(path);
      at.push(part);
    }
  }

  async #clear(directory: string): Promise<void> {
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      if (!this.#made.has(path)) await rm(path, { recursive: true, force: true });
    }
  }
}

/** Throws for a name that leads out. */
function partsOf(name: string): string[] {
  if (name.startsWith("/")) throw new TarError(`an absolute name: ${name}`);
  if (name.includes("\0") || Buffer.byteLength(name) > MAX_NAME_BYTES)
    throw new TarError("a name that no file can have");
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  for (const part of parts) {
    if (part === "..") throw new TarError(`a name that leads out: ${name}`);
    if (Buffer.byteLength(part) > MAX_PART_BYTES)
      throw new TarError("a name that no file can have");
  }
  return parts;
}

/** A relative link must stay in the root. An absolute one does: it is resolved in there. */
function checkLink({ name, target }: TarEntry, depth: number): void {
  if (target === "" || target.includes("\0")) throw new TarError(`a link to nothing: ${name}`);
  if (target.startsWith("/")) return;
  let at = depth;
  for (const part of target.split("/")) {
    if (part === "..") at -= 1;
    else if (part !== "" && part !== ".") at += 1;
    if (at < 0) throw new TarError(`a link that leads out: ${name}`);
  }
}

/** Set-id bits mean nothing in a VM, and may not lie around on the host. */
async function writeEntry(
  path: string,
  { mode, mtime }: TarEntry,
  layer: TarReader,
): Promise<void> {
  const file = createWriteStream(path, { flags: "wx", mode: 0o600 });
  const done = finished(file);
  done.catch(() => undefined);
  try {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- As it comes.
      const piece = await layer.read();
      if (piece === undefined) break;
      // oxlint-disable-next-line no-await-in-loop -- As above.
      if (!file.write(piece))
        await Promise.race([new Promise((resolve) => file.once("drain", resolve)), done]);
    }
  } finally {
    file.end();
  }
  await done;
  await chmod(path, mode & 0o777);
  await utimes(path, new Date(mtime), new Date(mtime));
}
