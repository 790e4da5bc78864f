import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  futimesSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";

import type { TreeAttributes } from "@agentos/protocol";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const WITHIN = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;
const NEW_FILE = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY;
const OWNER_BITS = 0o700;
const EXISTS = "EEXIST";
const NO_DIRECTORY = ["ENOTDIR", "ELOOP"];
const HERE = Buffer.from(".");
const SLASH = Buffer.from("/");

/** A file that is being made, not yet under its name where something else has that. */
export interface NewFile {
  readonly fd: number;
  readonly path: Buffer;
  readonly name: Uint8Array;
  readonly isRenamed: boolean;
}

/**
 * A directory of the host that is written to. It is open: on Linux every name is looked up in what was opened, so
 * that nothing renamed or linked meanwhile leads elsewhere; other systems look its path up again.
 */
export class HostDirectory {
  readonly #fd: number;
  readonly #base: Buffer;
  readonly #attributes: TreeAttributes | undefined;

  private constructor(fd: number, path: Buffer, attributes?: TreeAttributes) {
    this.#fd = fd;
    this.#base = process.platform === "linux" ? Buffer.from(`/proc/self/fd/${fd}/`) : path;
    this.#attributes = attributes;
  }

  /** The directory at `path`, made where it is missing, with those above it. One that is there keeps its mode and time. */
  static top(path: string, attributes: TreeAttributes): HostDirectory {
    const isOurs = mkdirSync(path, { recursive: true }) !== undefined;
    return HostDirectory.#named(path, isOurs ? attributes : undefined);
  }

  /** A directory that is there, under the name that the caller gave it. */
  static at(path: string): HostDirectory {
    return HostDirectory.#named(path, undefined);
  }

  static #named(path: string, attributes: TreeAttributes | undefined): HostDirectory {
    return new HostDirectory(openSync(path, O_RDONLY | O_DIRECTORY), slashed(path), attributes);
  }

  /** A real directory in it: a file or link that has its name is replaced. */
  enter(name: Uint8Array, attributes: TreeAttributes): HostDirectory {
    const path = this.#path(name);
    return new HostDirectory(this.#make(path), Buffer.concat([path, SLASH]), attributes);
  }

  /** A new file. Until `keep` it is nobody's. */
  create(name: Uint8Array): NewFile {
    const path = this.#path(name);
    try {
      return { fd: openSync(path, NEW_FILE, 0o600), path, name, isRenamed: false };
    } catch (error) {
      if (codeOf(error) !== EXISTS) throw error;
    }
    const own = this.#path(Buffer.from(`.agentos-${randomBytes(8).toString("hex")}`));
    return { fd: openSync(own, NEW_FILE, 0o600), path: own, name, isRenamed: true };
  }

  /** The file is whole: it gets its mode, its time and its name, whatever file or link had that. */
  keep({ fd, path, name, isRenamed }: NewFile, attributes: TreeAttributes): void {
    try {
      setAttributes(fd, attributes);
    } finally {
      closeSync(fd);
    }
    if (isRenamed) renameSync(path, this.#path(name));
  }

  symlink(name: Uint8Array, content: Uint8Array): void {
    this.#replacing(name, (path) => symlinkSync(Buffer.from(content), path));
  }

  /** Another name for the file that lies at these names below it, reached through real directories only. */
  hardLink(name: Uint8Array, top: HostDirectory, names: readonly Uint8Array[]): void {
    const [last = HERE, ...above] = names.toReversed();
    let directory = top.#open(HERE);
    try {
      for (const part of above.toReversed()) {
        const next = directory.#open(part);
        directory.#close();
        directory = next;
      }
      const known = directory.#path(last);
      this.#replacing(name, (path) => linkSync(known, path));
    } finally {
      directory.#close();
    }
  }

  /** All that belongs into it is there: it gets its own mode and time. */
  leave(): void {
    try {
      if (this.#attributes !== undefined) setAttributes(this.#fd, this.#attributes);
    } finally {
      this.#close();
    }
  }

  #open(name: Uint8Array): HostDirectory {
    const path = this.#path(name);
    return new HostDirectory(openSync(path, WITHIN), Buffer.concat([path, SLASH]));
  }

  #close(): void {
    closeSync(this.#fd);
  }

  #make(path: Buffer): number {
    try {
      return openOwn(path);
    } catch (error) {
      if (!NO_DIRECTORY.includes(codeOf(error))) throw error;
    }
    rmSync(path);
    return openOwn(path);
  }

  #replacing(name: Uint8Array, make: (path: Buffer) => void): void {
    const path = this.#path(name);
    try {
      make(path);
    } catch (error) {
      if (codeOf(error) !== EXISTS) throw error;
      // A directory stays: then this fails.
      rmSync(path);
      make(path);
    }
  }

  #path(name: Uint8Array): Buffer {
    return Buffer.concat([this.#base, name]);
  }
}

/** Nothing of a file that did not become whole stays. */
export function discard({ fd, path }: NewFile): void {
  closeSync(fd);
  rmSync(path, { force: true });
}

function setAttributes(fd: number, { mode, mtimeMs }: TreeAttributes): void {
  fchmodSync(fd, mode);
  futimesSync(fd, mtimeMs / 1000, mtimeMs / 1000);
}

function slashed(path: string): Buffer {
  return Buffer.from(path.endsWith("/") ? path : `${path}/`);
}

/** Makes the directory, or opens the one that is there. */
function openOwn(path: Buffer): number {
  let isNew = true;
  try {
    mkdirSync(path, { mode: OWNER_BITS });
  } catch (error) {
    if (codeOf(error) !== EXISTS) throw error;
    isNew = false;
  }
  const fd = openSync(path, WITHIN);
  if (isNew) return fd;
  try {
    // It must be written to.
    const { mode } = fstatSync(fd);
    if ((mode & OWNER_BITS) !== OWNER_BITS) fchmodSync(fd, mode | OWNER_BITS);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
