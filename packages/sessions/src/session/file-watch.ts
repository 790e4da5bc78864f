import { isAgentOsError } from "@agentos/protocol";
import type { SessionVm, VmFiles } from "@agentos/core";

import { readDirectory } from "../vm/read-directory.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";

/** A path of the VM, and what is directly in it where it is a directory: what has changed since it was last asked. */
export class FileWatch {
  readonly #vm: SessionVm;
  readonly #path: string;
  #seen = new Map<string, string>();

  constructor(vm: SessionVm, path: string) {
    this.#vm = vm;
    this.#path = path;
  }

  /** The paths that came, went or changed. The first time: all that there are. */
  async changes(): Promise<string[]> {
    const now = await this.#look(this.#vm.handle().files);
    const before = this.#seen;
    this.#seen = now;
    const paths = new Set([...before.keys(), ...now.keys()]);
    return [...paths].filter((path) => before.get(path) !== now.get(path)).toSorted();
  }

  async #look(files: VmFiles): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const isDirectory = await note(files, this.#path, found);
    if (!isDirectory) return found;
    // A directory's own time says no more than its entries do.
    found.delete(this.#path);
    const entries = await readDirectory(files, this.#path);
    const names = entries.slice(0, SESSION_BOUNDS.watchedEntries).map(({ name }) => name);
    const below = this.#path === "/" ? "" : this.#path;
    await Promise.all(names.map((name) => note(files, `${below}/${name}`, found)));
    return found;
  }
}

/** Whether it is a directory; what is not there is noted as nothing. */
async function note(files: VmFiles, path: string, found: Map<string, string>): Promise<boolean> {
  try {
    const { type, size, mtimeMs, ino } = await files.stat(path);
    found.set(path, `${type} ${size} ${mtimeMs} ${ino}`);
    return type === "directory";
  } catch (error) {
    if (isAgentOsError(error, "FILE_SYSTEM") && error.errno === "ENOENT") return false;
    throw error;
  }
}
