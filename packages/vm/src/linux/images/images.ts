import { randomBytes } from "node:crypto";
import { realpath, stat } from "node:fs/promises";

import type { VmRecord } from "@agentos/core";

import type { LayerStore } from "../disk/layer-store.ts";
import { unpackArchive } from "./oci-archive.ts";
import {
  imageRefused,
  type ImageRecord,
  readImageRecord,
  readRootImage,
  type RootImage,
} from "./root-image.ts";
import { TarError } from "./tar-reader.ts";

const BOUNDS = { bytes: 32 * 1024 ** 3, entries: 2_000_000 } as const;

/** The root filesystems of a driver's VMs, besides the host's. */
export class Images {
  readonly #store: LayerStore;
  /** Archives that are being unpacked. */
  readonly #importing = new Set<string>();

  constructor(store: LayerStore) {
    this.#store = store;
  }

  /** What must not be swept. */
  get importing(): Iterable<string> {
    return this.#importing;
  }

  /** A directory is used as it is; an archive is unpacked. Rejects with `IMAGE_REFUSED`, and nothing of it is kept. */
  async add(name: string, source: string): Promise<VmRecord> {
    const path = await realpath(source).catch((cause: unknown) => {
      throw imageRefused(name, "it does not exist, or can't be reached", cause);
    });
    const found = await stat(path);
    if (found.isFile()) return await this.#unpack(name, path);
    if (!found.isDirectory()) throw imageRefused(name, "it is neither a directory nor an archive");
    if (path === "/") throw imageRefused(name, "the host's own root is the image host");
    await readRootImage(name, path);
    return { version: 1, kind: "directory", path };
  }

  /** Rejects with `IMAGE_REFUSED` where it is not there any more. */
  async open(name: string, record: VmRecord): Promise<RootImage> {
    const known = readImageRecord(record);
    const path = known.kind === "directory" ? known.path : await this.#store.find(known.id);
    if (path === undefined) throw imageRefused(name, "its files are gone");
    return await readRootImage(name, path);
  }

  async #unpack(name: string, archive: string): Promise<VmRecord> {
    const id = `i-${randomBytes(8).toString("hex")}`;
    this.#importing.add(id);
    try {
      const root = await this.#store.begin(id, undefined);
      await unpackArchive(archive, root, BOUNDS);
      await readRootImage(name, root);
      await this.#store.finish(id);
      return { version: 1, kind: "unpacked", id };
    } catch (error) {
      await this.#store.giveUp(id);
      throw refusalOf(name, error);
    } finally {
      this.#importing.delete(id);
    }
  }
}

/** The name of what an image takes up in the store; undefined where it is somebody's own directory. */
export function storedName(record: VmRecord): string | undefined {
  const known: ImageRecord = readImageRecord(record);
  return known.kind === "unpacked" ? known.id : undefined;
}

/** What of an error is about the archive. */
function refusalOf(name: string, error: unknown): unknown {
  if (error instanceof TarError) return imageRefused(name, error.message, error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOSPC" || code === "EDQUOT")
    return imageRefused(name, "there is no room for it", error);
  if (code.startsWith("Z_") || code.startsWith("ERR_") || code === "")
    return error instanceof Error && error.constructor !== Error && code === ""
      ? error
      : imageRefused(name, "the archive is damaged", error);
  return error;
}
