import { locate, pathOf, type Place } from "./place.ts";
import { treeError } from "./tree-error.ts";
import {
  type DirectoryNode,
  type FileNode,
  measure,
  nodeBytes,
  type Owner,
  type TreeNode,
} from "./tree-node.ts";

/** What a tree may hold. */
export interface TreeLimits {
  readonly bytes: number;
  readonly nodes: number;
  /** Names in the root below which nothing can be changed. */
  readonly readOnly?: ReadonlySet<string>;
  /** Called for each operation that finds it full. */
  readonly onFull?: () => void;
}

/** The frozen files of a tree: nothing in it changes any more. */
export interface TreeSnapshot {
  readonly root: DirectoryNode;
  readonly bytes: number;
  readonly nodes: number;
  readonly lastIno: number;
}

const LEAST_GROWTH_BYTES = 256;

/**
 * A copy-on-write filesystem in memory. A snapshot takes constant time, and so does a tree on top of it: nodes
 * are shared until one of the trees changes them. Every path is absolute. There are no hard links.
 */
export class FileTree {
  readonly #limits: TreeLimits;
  #owner: Owner = {};
  #root: DirectoryNode;
  #bytes: number;
  #nodes: number;
  #lastIno: number;

  constructor(limits: TreeLimits, from?: TreeSnapshot) {
    this.#limits = limits;
    this.#lastIno = from?.lastIno ?? 0;
    this.#root = from?.root ?? this.#newDirectory(0o755);
    this.#bytes = from?.bytes ?? 0;
    this.#nodes = from?.nodes ?? 1;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get nodes(): number {
    return this.#nodes;
  }

  /** Constant time, whatever the tree holds. */
  snapshot(): TreeSnapshot {
    const frozen = { root: this.#root, bytes: this.#bytes, nodes: this.#nodes };
    this.#owner = {};
    return { ...frozen, lastIno: this.#lastIno };
  }

  locate(path: string, syscall: string, follow = true): Place {
    return locate(this.#root, path, syscall, follow);
  }

  /** The node at `path`, or `ENOENT`. */
  get(path: string, syscall: string, follow = true): TreeNode {
    const { node } = this.locate(path, syscall, follow);
    if (node === undefined) throw treeError("ENOENT", syscall, path);
    return node;
  }

  getFile(path: string, syscall: string): FileNode {
    const node = this.get(path, syscall);
    if (node.type === "directory") throw treeError("EISDIR", syscall, path);
    if (node.type === "symlink") throw treeError("ELOOP", syscall, path);
    return node;
  }

  getDirectory(path: string, syscall: string): DirectoryNode {
    const node = this.get(path, syscall);
    if (node.type !== "directory") throw treeError("ENOTDIR", syscall, path);
    return node;
  }

  realpath(path: string): string {
    const place = this.locate(path, "realpath");
    if (place.node === undefined) throw treeError("ENOENT", "realpath", path);
    return pathOf(place);
  }

  mkdir(path: string, mode: number): void {
    const place = this.locate(path, "mkdir", false);
    if (place.node !== undefined) throw treeError("EEXIST", "mkdir", path);
    this.#put(place, () => this.#newDirectory(mode), "mkdir", path);
  }

  /** Makes what is missing of `path`. */
  mkdirAll(path: string, mode: number): void {
    let at = "";
    for (const part of path.split("/").filter((name) => name !== "" && name !== ".")) {
      at += `/${part}`;
      const { node } = this.locate(at, "mkdir");
      if (node === undefined) this.mkdir(at, mode);
      else if (node.type !== "directory") throw treeError("ENOTDIR", "mkdir", path);
    }
  }

  symlink(content: string, path: string): void {
    const place = this.locate(path, "symlink", false);
    if (place.node !== undefined) throw treeError("EEXIST", "symlink", content, path);
    const make = (): TreeNode => ({ ...this.#newBase(0o777), type: "symlink", content });
    this.#put(place, make, "symlink", path);
  }

  /** The file that is to be written at `path`, made where it is missing. */
  openFile(path: string, mode: number, how: "truncate" | "append" | "exclusive" | "keep"): void {
    const place = this.locate(path, "open", how !== "exclusive");
    const { node } = place;
    if (node === undefined) {
      this.#put(place, () => this.#newFile(mode), "open", path);
      return;
    }
    if (how === "exclusive") throw treeError("EEXIST", "open", path);
    this.getFile(path, "open");
    if (how === "truncate") this.truncate(path, 0);
  }

  writeAt(path: string, offset: number, bytes: Uint8Array): void {
    const file = this.#ownFile(path, "write");
    const end = offset + bytes.byteLength;
    this.#reserve(file, Math.max(end, file.size), "write");
    file.bytes.set(bytes, offset);
    this.#resized(file, Math.max(end, file.size));
  }

  truncate(path: string, size: number): void {
    const file = this.#ownFile(path, "truncate");
    if (size === 0) {
      file.bytes = new Uint8Array(0);
      file.hasOwnBytes = true;
    } else {
      this.#reserve(file, size, "truncate");
      file.bytes.fill(0, Math.min(size, file.size), file.bytes.byteLength);
    }
    this.#resized(file, size);
  }

  chmod(path: string, mode: number): void {
    this.#own(path, "chmod").mode = mode & 0o7777;
  }

  utimes(path: string, mtimeMs: number): void {
    this.#own(path, "utime").mtimeMs = mtimeMs;
  }

  /** Removes the entry at `path` and what is below it. A link itself is removed, not what it leads to. */
  remove(path: string, syscall: string): void {
    const place = this.locate(path, syscall, false);
    const { above, name, node } = place;
    if (node === undefined) throw treeError("ENOENT", syscall, path);
    if (name === "") throw treeError("EBUSY", syscall, path);
    this.#assertWritable(place, syscall, path);
    const { bytes, nodes } = measure(node);
    this.#ownDirectory(above).children.delete(name);
    this.#bytes -= bytes;
    this.#nodes -= nodes;
  }

  rename(from: string, to: string): void {
    const fail = (errno: string): Error => treeError(errno, "rename", from, to);
    const source = this.locate(from, "rename", false);
    const target = this.locate(to, "rename", false);
    if (source.node === undefined) throw fail("ENOENT");
    if (source.name === "" || target.name === "") throw fail("EBUSY");
    this.#assertWritable(source, "rename", from, to);
    this.#assertWritable(target, "rename", from, to);
    if (source.node === target.node) return;
    const isDirectory = source.node.type === "directory";
    if (isDirectory && `${pathOf(target)}/`.startsWith(`${pathOf(source)}/`)) throw fail("EINVAL");
    if (target.node !== undefined) {
      const overDirectory = target.node.type === "directory";
      if (overDirectory && !isDirectory) throw fail("EISDIR");
      if (!overDirectory && isDirectory) throw fail("ENOTDIR");
      if (target.node.type === "directory" && target.node.children.size > 0)
        throw fail("ENOTEMPTY");
      this.remove(to, "rename");
    }
    this.#ownDirectory(source.above).children.delete(source.name);
    this.#ownDirectory(target.above).children.set(target.name, source.node);
  }

  /** Puts a copy of the node at `from` where `to` is, in place of a file or link there. Contents are shared. */
  copy(from: string, to: string): void {
    const node = this.get(from, "copyfile", false);
    const target = this.locate(to, "copyfile", false);
    const below = `${pathOf(this.locate(from, "copyfile", false))}/`;
    if (node.type === "directory" && `${pathOf(target)}/`.startsWith(below))
      throw treeError("EINVAL", "copyfile", from, to);
    this.#assertWritable(target, "copyfile", from, to);
    const { bytes, nodes } = measure(node);
    this.#charge(bytes, nodes, "copyfile", to);
    if (target.node !== undefined) this.remove(to, "copyfile");
    this.#ownDirectory(target.above).children.set(target.name, this.#clone(node));
    this.#bytes += bytes;
    this.#nodes += nodes;
  }

  #clone(node: TreeNode): TreeNode {
    const base = this.#newBase(node.mode);
    if (node.type === "symlink") return { ...base, type: "symlink", content: node.content };
    if (node.type === "file") {
      // A frozen node is copied before it is written, and its copy owns no bytes.
      if (node.owner === this.#owner) node.hasOwnBytes = false;
      return { ...base, type: "file", bytes: node.bytes, size: node.size, hasOwnBytes: false };
    }
    const children = new Map<string, TreeNode>();
    for (const [name, child] of node.children) children.set(name, this.#clone(child));
    return { ...base, type: "directory", children };
  }

  #put(place: Place, make: () => TreeNode, syscall: string, path: string): void {
    if (place.name === "") throw treeError("EEXIST", syscall, path);
    this.#assertWritable(place, syscall, path);
    const node = make();
    this.#charge(nodeBytes(node), 1, syscall, path);
    const parent = this.#ownDirectory(place.above);
    parent.children.set(place.name, node);
    parent.mtimeMs = node.mtimeMs;
    this.#bytes += nodeBytes(node);
    this.#nodes += 1;
  }

  #charge(bytes: number, nodes: number, syscall: string, path?: string): void {
    const isFull =
      this.#bytes + bytes > this.#limits.bytes || this.#nodes + nodes > this.#limits.nodes;
    if (!isFull) return;
    this.#limits.onFull?.();
    throw treeError("ENOSPC", syscall, path);
  }

  #assertWritable({ above, name }: Place, syscall: string, path: string, dest?: string): void {
    if (this.#limits.readOnly?.has(above[0] ?? name) === true)
      throw treeError("EROFS", syscall, path, dest);
  }

  #own(path: string, syscall: string): TreeNode {
    const place = this.locate(path, syscall);
    if (place.node === undefined) throw treeError("ENOENT", syscall, path);
    this.#assertWritable(place, syscall, path);
    if (place.node.owner === this.#owner) return place.node;
    if (place.name === "") return this.#ownDirectory([]);
    const own = this.#copyOf(place.node);
    this.#ownDirectory(place.above).children.set(place.name, own);
    return own;
  }

  #ownFile(path: string, syscall: string): FileNode {
    this.getFile(path, syscall);
    const node = this.#own(path, syscall);
    if (node.type !== "file") throw treeError("EISDIR", syscall, path);
    return node;
  }

  /** The directory at these names, which are no links, with everything above it this tree's own. */
  #ownDirectory(names: readonly string[]): DirectoryNode {
    if (this.#root.owner !== this.#owner) this.#root = this.#ownCopy(this.#root);
    let directory = this.#root;
    for (const name of names) {
      const child = directory.children.get(name);
      if (child?.type !== "directory") throw treeError("ENOTDIR", "open", `/${names.join("/")}`);
      const own = child.owner === this.#owner ? child : this.#ownCopy(child);
      directory.children.set(name, own);
      directory = own;
    }
    return directory;
  }

  #ownCopy(node: DirectoryNode): DirectoryNode {
    return { ...node, owner: this.#owner, children: new Map(node.children) };
  }

  #copyOf(node: TreeNode): TreeNode {
    if (node.type === "directory") return this.#ownCopy(node);
    if (node.type === "symlink") return { ...node, owner: this.#owner };
    return { ...node, owner: this.#owner, hasOwnBytes: false };
  }

  /** Room for `size` bytes that are the file's alone. */
  #reserve(file: FileNode, size: number, syscall: string): void {
    this.#charge(size - file.size, 0, syscall);
    if (file.hasOwnBytes && size <= file.bytes.byteLength) return;
    const grown = Math.max(size, size > file.size ? 2 * file.size : 0);
    const room = file.size === 0 ? size : Math.max(grown, LEAST_GROWTH_BYTES);
    const bytes = new Uint8Array(room);
    bytes.set(file.bytes.subarray(0, file.size));
    file.bytes = bytes;
    file.hasOwnBytes = true;
  }

  #resized(file: FileNode, size: number): void {
    this.#bytes += size - file.size;
    file.size = size;
    file.mtimeMs = Date.now();
  }

  #newFile(mode: number): FileNode {
    const bytes = new Uint8Array(0);
    return { ...this.#newBase(mode), type: "file", bytes, size: 0, hasOwnBytes: true };
  }

  #newDirectory(mode: number): DirectoryNode {
    return { ...this.#newBase(mode), type: "directory", children: new Map() };
  }

  #newBase(mode: number): Pick<TreeNode, "owner" | "ino" | "mode" | "mtimeMs"> {
    this.#lastIno += 1;
    return { owner: this.#owner, ino: this.#lastIno, mode: mode & 0o7777, mtimeMs: Date.now() };
  }
}
