import { isAgentOsError, TreeReader, type TreeRecord } from "@agentos/protocol";

import type { FileTree } from "../tree/file-tree.ts";
import { treeError } from "../tree/tree-error.ts";

/** The name of a file that is not whole yet. */
const UNFINISHED = ".agentos-unfinished";

interface OpenFile {
  readonly path: string;
  readonly unfinished: string;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly size: number;
}

/** Writes a tree stream into a virtual VM's files. */
export class TreeUnpack {
  readonly #tree: FileTree;
  readonly #top: string;
  readonly #reader = new TreeReader();
  readonly #stack: { path: string; mtimeMs: number | undefined }[] = [];
  #file: OpenFile | undefined;

  constructor(tree: FileTree, path: string) {
    this.#tree = tree;
    this.#top = path;
  }

  /** Below the top: what is worked on. */
  get at(): string {
    const path = this.#file?.path ?? this.#stack.at(-1)?.path ?? this.#top;
    return path.slice(this.#top.length).replace(/^\//, "");
  }

  /** Throws `FILE_SYSTEM`, also for a stream that is not as agreed. */
  push(bytes: Uint8Array): void {
    try {
      for (const record of this.#reader.push(bytes)) this.#take(record);
    } catch (error) {
      throw isAgentOsError(error, "PROTOCOL_ERROR") ? treeError("EBADMSG", "stream") : error;
    }
  }

  /** Nothing follows. Throws where the tree has not ended. */
  end(): void {
    if (!this.#reader.hasEnded) throw treeError("ENODATA", "stream");
  }

  #take(record: TreeRecord): void {
    switch (record.kind) {
      case "directory":
        return this.#enter(this.#pathOf(record.name), record.mode, record.mtimeMs);
      case "up": {
        const left = this.#stack.pop();
        if (left?.mtimeMs !== undefined) this.#tree.utimes(left.path, left.mtimeMs);
        return undefined;
      }
      case "file": {
        const { mode, mtimeMs, size } = record;
        const path = this.#pathOf(record.name);
        const unfinished = `${path.slice(0, path.lastIndexOf("/"))}/${UNFINISHED}`;
        this.#file = { path, unfinished, mode, mtimeMs, size };
        return this.#tree.openFile(unfinished, mode, "truncate");
      }
      case "piece":
        if (this.#file !== undefined)
          this.#tree.writeAt(this.#file.unfinished, record.offset, record.bytes);
        return undefined;
      case "fileEnd":
        return this.#keepFile();
      case "link":
        return this.#replace(this.#pathOf(record.name), (path) =>
          this.#tree.symlink(text(record.content), path),
        );
      case "hardLink":
        // There are none here: it is a file of its own, whose content is shared until it is written.
        return this.#replace(this.#pathOf(record.name), (path) =>
          this.#tree.copy(`${this.#top}/${text(record.path)}`, path),
        );
      case "skipped":
      case "end":
        return undefined;
    }
  }

  #enter(path: string, mode: number, mtimeMs: number): void {
    const isTop = this.#stack.length === 0;
    const { node } = this.#tree.locate(path, "mkdir", isTop);
    const isThere = node?.type === "directory";
    if (!isThere && node !== undefined && !isTop) this.#tree.remove(path, "mkdir");
    if (!isThere) this.#tree.mkdirAll(path, mode);
    else if (!isTop) this.#tree.chmod(path, mode);
    this.#stack.push({ path, mtimeMs: isTop && isThere ? undefined : mtimeMs });
  }

  #keepFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    const { path, unfinished, mode, mtimeMs, size } = file;
    if (this.#tree.getFile(unfinished, "write").size < size) this.#tree.truncate(unfinished, size);
    this.#tree.chmod(unfinished, mode);
    this.#tree.utimes(unfinished, mtimeMs);
    this.#tree.rename(unfinished, path);
    this.#file = undefined;
  }

  #replace(path: string, make: (path: string) => void): void {
    const { node } = this.#tree.locate(path, "open", false);
    if (node?.type === "directory") throw treeError("EISDIR", "open", path);
    if (node !== undefined) this.#tree.remove(path, "open");
    make(path);
  }

  #pathOf(name: Uint8Array): string {
    const above = this.#stack.at(-1)?.path;
    return above === undefined ? this.#top : `${above === "/" ? "" : above}/${text(name)}`;
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
