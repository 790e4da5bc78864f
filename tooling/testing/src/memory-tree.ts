import { fileError } from "./file-error.ts";
import { MemoryFile } from "./memory-file.ts";

const MOST_LINKS = 40;

export interface MemoryDirectory {
  readonly type: "directory";
  readonly ino: number;
  readonly children: Map<string, MemoryNode>;
  mode: number;
  mtimeMs: number;
}

export interface MemorySymlink {
  readonly type: "symlink";
  readonly ino: number;
  readonly content: string;
  mode: number;
  mtimeMs: number;
}

export type MemoryNode = MemoryDirectory | MemoryFile | MemorySymlink;

/** Where a path leads: its directory and name, and the node where there is one. */
export interface Place {
  readonly parent: MemoryDirectory;
  readonly name: string;
  readonly node: MemoryNode | undefined;
  readonly realpath: string;
}

/** A filesystem in memory with directories, files and symbolic links. Every path is absolute. */
export class MemoryTree {
  #lastIno = 1;
  readonly #root = this.directory(0o755);

  directory(mode: number): MemoryDirectory {
    const ino = this.#lastIno++;
    return { type: "directory", ino, children: new Map(), mode, mtimeMs: Date.now() };
  }

  file(mode: number): MemoryFile {
    return new MemoryFile(this.#lastIno++, mode);
  }

  symlink(content: string): MemorySymlink {
    return { type: "symlink", ino: this.#lastIno++, content, mode: 0o777, mtimeMs: Date.now() };
  }

  /** Follows `path`; its last part may be missing. A link in the last part is followed if `follow`. */
  locate(path: string, syscall: string, follow = true): Place {
    const left = partsOf(path);
    let trail: { name: string; node: MemoryNode }[] = [];
    let links = 0;
    for (let part = left.shift(); part !== undefined; part = left.shift()) {
      if (part === "..") {
        trail.pop();
        continue;
      }
      const parent = trail.at(-1)?.node ?? this.#root;
      if (parent.type !== "directory") throw fileError("ENOTDIR", syscall, path);
      const node = parent.children.get(part);
      if (node === undefined) {
        if (left.length > 0) throw fileError("ENOENT", syscall, path);
        return { parent, name: part, node, realpath: join(trail, part) };
      }
      if (node.type === "symlink" && (follow || left.length > 0)) {
        if (++links > MOST_LINKS) throw fileError("ELOOP", syscall, path);
        left.unshift(...partsOf(node.content));
        if (node.content.startsWith("/")) trail = [];
        continue;
      }
      trail.push({ name: part, node });
    }
    const before = trail.at(-2)?.node ?? this.#root;
    return {
      parent: before.type === "directory" ? before : this.#root,
      name: trail.at(-1)?.name ?? "",
      node: trail.at(-1)?.node ?? this.#root,
      realpath: join(trail),
    };
  }

  /** The node at `path`, or `ENOENT`. */
  get(path: string, syscall: string, follow = true): MemoryNode {
    const { node } = this.locate(path, syscall, follow);
    if (node === undefined) throw fileError("ENOENT", syscall, path);
    return node;
  }

  getFile(path: string, syscall: string): MemoryFile {
    const node = this.get(path, syscall);
    if (node.type === "directory") throw fileError("EISDIR", syscall, path);
    if (node.type === "symlink") throw fileError("ELOOP", syscall, path);
    return node;
  }

  /** The directory at `path`; it and its parents are made where they are missing. */
  makeDirectories(path: string, mode = 0o755): MemoryDirectory {
    let at = "";
    let directory = this.#root;
    for (const part of partsOf(path)) {
      at += `/${part}`;
      const place = this.locate(at, "mkdir");
      const node = place.node ?? this.directory(mode);
      if (node.type !== "directory") throw fileError("ENOTDIR", "mkdir", path);
      if (place.node === undefined) place.parent.children.set(place.name, node);
      directory = node;
    }
    return directory;
  }

  /** Text of the file at `path`, for tests. */
  readText(path: string): string {
    return Buffer.from(this.getFile(path, "open").read()).toString("utf8");
  }

  /** Puts a file at `path`, for tests; its directories are made. */
  writeText(path: string, text: string, mode = 0o644): void {
    this.makeDirectories(path.slice(0, path.lastIndexOf("/")));
    const file = this.file(mode);
    file.writeAt(0, Buffer.from(text));
    const { parent, name } = this.locate(path, "open");
    parent.children.set(name, file);
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function join(trail: readonly { name: string }[], last?: string): string {
  const names = trail.map(({ name }) => name);
  return `/${[...names, ...(last === undefined ? [] : [last])].join("/")}`;
}
