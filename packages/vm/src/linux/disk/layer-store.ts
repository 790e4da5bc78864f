import { chown, mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";

import { removeTree } from "./remove-tree.ts";

/** A copy that is not whole. */
const UNFINISHED = ".part";
/** In a copy that is. */
const COMPLETE = ".complete";
/** So long after it was finished, whoever asked for it may not have written it down yet. */
const YOUNG_MS = 10_000;

/**
 * Frozen layers and lasting disks, each a directory. A layer is there once it has its name: until then it is being
 * copied, and whoever holds it in memory is asked for it.
 */
export class LayerStore {
  readonly #directory: string;
  /** By name, until when it stays whoever names it; `Infinity` while it is being made. */
  readonly #young = new Map<string, number>();
  #made: Promise<unknown> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** An empty directory to copy a layer into. */
  async begin(layer: string, hostId: number | undefined): Promise<string> {
    this.#young.set(layer, Infinity);
    return await this.#make(`${layer}${UNFINISHED}`, hostId);
  }

  /** The copy is whole. Whoever looked for it may have seen that first. */
  async finish(layer: string): Promise<void> {
    this.#young.set(layer, Date.now() + YOUNG_MS);
    try {
      await rename(this.#path(`${layer}${UNFINISHED}`), this.#path(layer));
    } catch (error) {
      if (!(await isThere(this.#path(layer)))) throw error;
    }
  }

  /** Nobody will finish it. */
  async giveUp(layer: string): Promise<void> {
    this.#young.delete(layer);
    await removeTree(this.#path(`${layer}${UNFINISHED}`));
  }

  /** Undefined: it is not there, or not whole. */
  async find(layer: string): Promise<string | undefined> {
    const path = this.#layerPath(layer);
    if (await isThere(path)) return path;
    // Its copier was done after the sidecar that asked for it was gone.
    const unfinished = this.#path(`${layer}${UNFINISHED}`);
    if (!(await isThere(join(unfinished, COMPLETE)))) return undefined;
    await this.finish(layer).catch(() => undefined);
    return path;
  }

  /** The directory of a lasting disk, made where it is missing. */
  async disk(name: string, hostId: number | undefined): Promise<string> {
    return await this.#make(name, hostId);
  }

  /** The generations of a lasting disk, latest first. */
  async generations(name: string): Promise<number[]> {
    const found = await readdir(this.#path(name)).catch(() => []);
    return found
      .filter((each) => /^\d+$/.test(each))
      .map(Number)
      .toSorted((a, b) => b - a);
  }

  /** Removes everything. */
  async clear(): Promise<void> {
    this.#young.clear();
    await this.keepOnly(new Set());
  }

  /** Removes what is in none of the names, but for what is being made or was made just now. */
  async keepOnly(names: ReadonlySet<string>): Promise<void> {
    const found = await readdir(this.#directory).catch(() => []);
    for (const name of found) {
      const layer = name.endsWith(UNFINISHED) ? name.slice(0, -UNFINISHED.length) : name;
      if (this.#isYoung(layer)) continue;
      // One after the other: it is nobody's hurry.
      // oxlint-disable-next-line no-await-in-loop
      if (!names.has(layer)) await removeTree(this.#path(name));
    }
  }

  #isYoung(layer: string): boolean {
    const until = this.#young.get(layer) ?? 0;
    if (until > Date.now()) return true;
    this.#young.delete(layer);
    return false;
  }

  /** A layer that is a disk's earlier generation lies in that disk: `DISK-GENERATION`. */
  #layerPath(layer: string): string {
    const [, disk, generation] = /^(d-[a-z0-9]+)-(\d+)$/.exec(layer) ?? [];
    if (disk === undefined || generation === undefined) return this.#path(layer);
    return join(this.#path(disk), generation, "upper");
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  async #make(name: string, hostId: number | undefined): Promise<string> {
    this.#made ??= mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await this.#made;
    const path = this.#path(name);
    await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    if (hostId !== undefined) await chown(path, hostId, hostId);
    return path;
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** The directory of the store that a layer lies in. */
export function directoryOf(layer: string): string {
  return /^(d-[a-z0-9]+)-\d+$/.exec(layer)?.[1] ?? layer;
}
