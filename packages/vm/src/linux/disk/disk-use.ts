import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir } from "node:fs/promises";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
/** What `stat` counts a file's room in. */
const BLOCK_BYTES = 512;
/** Files that are asked about at once. */
const ASKED_AT_ONCE = 64;
/** Directories within one another: each holds a descriptor. What is deeper is not counted. */
const MAX_DEPTH = 256;
/** What was counted is believed for so long at least, and for so many times as long as the counting took. */
const BELIEVED_MS = 1_000;
const BELIEVED_TIMES = 20;

/** How much a lasting disk holds. A directory of the host has no size, so its files are counted. */
export class DiskUse {
  readonly #directory: () => Promise<string>;
  #counted: Promise<number> | undefined;
  #untilMs = 0;

  constructor(directory: () => Promise<string>) {
    this.#directory = directory;
  }

  /** As it was a moment ago. */
  async bytes(): Promise<number> {
    if (this.#counted !== undefined && performance.now() < this.#untilMs) return this.#counted;
    this.#untilMs = Infinity;
    this.#counted = this.#count();
    return await this.#counted;
  }

  async #count(): Promise<number> {
    const startedMs = performance.now();
    try {
      return await bytesBelow(await this.#directory(), 0);
    } finally {
      const now = performance.now();
      this.#untilMs = now + Math.max(BELIEVED_MS, (now - startedMs) * BELIEVED_TIMES);
    }
  }
}

/**
 * A guest changes the tree meanwhile: each directory is opened by its last name only, and never through a link, so
 * that the way leads nowhere else.
 */
async function bytesBelow(path: string, depth: number): Promise<number> {
  const directory = await openDirectory(path);
  if (directory === undefined) return 0;
  try {
    const here = `/proc/self/fd/${directory.fd}`;
    const names = await readdir(here).catch(() => []);
    let bytes = 0;
    for (let at = 0; at < names.length; at += ASKED_AT_ONCE) {
      const asked = names.slice(at, at + ASKED_AT_ONCE);
      // oxlint-disable-next-line no-await-in-loop -- So many at once, and no more.
      const stats = await Promise.all(
        asked.map((name) => lstat(`${here}/${name}`).catch(() => undefined)),
      );
      for (const [index, stat] of stats.entries()) {
        if (stat === undefined) continue;
        // Each name of a file has its part of it.
        bytes += (stat.blocks * BLOCK_BYTES) / (stat.isDirectory() ? 1 : Math.max(1, stat.nlink));
        if (!stat.isDirectory() || depth === MAX_DEPTH) continue;
        // oxlint-disable-next-line no-await-in-loop -- A descriptor for each level, not for each directory.
        bytes += await bytesBelow(`${here}/${asked[index]}`, depth + 1);
      }
    }
    return Math.round(bytes);
  } finally {
    await directory.close();
  }
}

/** Undefined: it is gone, closed by its owner, or became something else. */
async function openDirectory(path: string): Promise<FileHandle | undefined> {
  return await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(() => undefined);
}
