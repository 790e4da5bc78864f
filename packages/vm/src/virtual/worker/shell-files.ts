import { posix } from "node:path";

import type { IFileSystem } from "just-bash";

import type { FileTree } from "../tree/file-tree.ts";
import { treeError } from "../tree/tree-error.ts";
import { nodeBytes, type TreeNode } from "../tree/tree-node.ts";

/** Where a script's output goes: see `streamed-script.ts`. */
export const STDOUT_PATH = "/dev/.stdout";
export const STDERR_PATH = "/dev/.stderr";

type Stat = Awaited<ReturnType<IFileSystem["stat"]>>;
type Content = Parameters<IFileSystem["writeFile"]>[1];
type Encoding = Parameters<IFileSystem["writeFile"]>[2];
type ReadEncoding = Parameters<IFileSystem["readFile"]>[1];

const NULL = "/dev/null";
const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o755;

export interface ShellFilesOptions {
  readonly tree: FileTree;
  /** Awaited before each operation; throws once the process has ended. */
  readonly turn: () => Promise<void>;
  /** Takes what the script writes to its own output. */
  readonly output: Readonly<Record<typeof STDOUT_PATH | typeof STDERR_PATH, Write>>;
}

type Write = (bytes: Uint8Array) => Promise<void>;

/** A tree as the shell of one process sees it, with that process's output in it. */
export class ShellFiles implements IFileSystem {
  readonly #tree: FileTree;
  readonly #turn: () => Promise<void>;
  readonly #output: ReadonlyMap<string, Write>;

  constructor({ tree, turn, output }: ShellFilesOptions) {
    this.#tree = tree;
    this.#turn = turn;
    this.#output = new Map([...Object.entries(output), [NULL, async () => undefined]]);
  }

  async readFile(path: string, options?: ReadEncoding): Promise<string> {
    const encoding = typeof options === "string" ? options : (options?.encoding ?? "utf8");
    return Buffer.from(await this.#read(path)).toString(encoding);
  }

  async readFileBuffer(path: string): Promise<Uint8Array> {
    return (await this.#read(path)).slice();
  }

  async writeFile(path: string, content: Content, options?: Encoding): Promise<void> {
    const write = this.#output.get(path);
    const bytes = bytesOf(content, options);
    if (write !== undefined) return await write(bytes);
    await this.#turn();
    this.#tree.openFile(path, FILE_MODE, "truncate");
    this.#tree.writeAt(path, 0, bytes);
  }

  async appendFile(path: string, content: Content, options?: Encoding): Promise<void> {
    const write = this.#output.get(path);
    const bytes = bytesOf(content, options);
    if (write !== undefined) return await write(bytes);
    await this.#turn();
    this.#tree.openFile(path, FILE_MODE, "append");
    this.#tree.writeAt(path, this.#tree.getFile(path, "open").size, bytes);
  }

  async exists(path: string): Promise<boolean> {
    await this.#turn();
    if (this.#output.has(path)) return true;
    try {
      return this.#tree.locate(path, "access").node !== undefined;
    } catch {
      // A part of it is no directory: then there is nothing.
      return false;
    }
  }

  async stat(path: string): Promise<Stat> {
    await this.#turn();
    return this.#output.has(path) ? deviceStat() : statOf(this.#tree.get(path, "stat"));
  }

  async lstat(path: string): Promise<Stat> {
    await this.#turn();
    return this.#output.has(path) ? deviceStat() : statOf(this.#tree.get(path, "lstat", false));
  }

  async mkdir(path: string, options?: { recursive?: boolean }): Promise<void> {
    await this.#turn();
    if (options?.recursive === true) this.#tree.mkdirAll(path, DIRECTORY_MODE);
    else this.#tree.mkdir(path, DIRECTORY_MODE);
  }

  async readdir(path: string): Promise<string[]> {
    await this.#turn();
    return [...this.#tree.getDirectory(path, "scandir").children.keys()].toSorted();
  }

  async readdirWithFileTypes(path: string) {
    await this.#turn();
    const { children } = this.#tree.getDirectory(path, "scandir");
    return [...children].toSorted(byName).map(([name, { type }]) => ({
      name,
      isFile: type === "file",
      isDirectory: type === "directory",
      isSymbolicLink: type === "symlink",
    }));
  }

  async rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void> {
    await this.#turn();
    const { node } = this.#tree.locate(path, "rm", false);
    if (node === undefined && options?.force === true) return;
    const isFull = node?.type === "directory" && node.children.size > 0;
    if (isFull && options?.recursive !== true) throw treeError("ENOTEMPTY", "rm", path);
    this.#tree.remove(path, "rm");
  }

  async cp(from: string, to: string, options?: { recursive?: boolean }): Promise<void> {
    await this.#turn();
    const { type } = this.#tree.get(from, "cp", false);
    if (type === "directory" && options?.recursive !== true) throw treeError("EISDIR", "cp", from);
    this.#tree.copy(from, to);
  }

  async mv(from: string, to: string): Promise<void> {
    await this.#turn();
    this.#tree.rename(from, to);
  }

  resolvePath(base: string, path: string): string {
    return posix.resolve(base, path);
  }

  getAllPaths(): string[] {
    const paths: string[] = [];
    const visit = (node: TreeNode, path: string): void => {
      paths.push(path === "" ? "/" : path);
      if (node.type !== "directory") return;
      for (const [name, child] of node.children) visit(child, `${path}/${name}`);
    };
    visit(this.#tree.get("/", "scandir"), "");
    return paths;
  }

  async chmod(path: string, mode: number): Promise<void> {
    await this.#turn();
    this.#tree.chmod(path, mode);
  }

  async symlink(content: string, path: string): Promise<void> {
    await this.#turn();
    this.#tree.symlink(content, path);
  }

  /** There are none: a file has one name. */
  async link(existing: string, path: string): Promise<void> {
    await this.#turn();
    throw treeError("EPERM", "link", existing, path);
  }

  async readlink(path: string): Promise<string> {
    await this.#turn();
    const node = this.#tree.get(path, "readlink", false);
    if (node.type !== "symlink") throw treeError("EINVAL", "readlink", path);
    return node.content;
  }

  async realpath(path: string): Promise<string> {
    await this.#turn();
    return this.#tree.realpath(path);
  }

  async utimes(path: string, _atime: Date, mtime: Date): Promise<void> {
    await this.#turn();
    this.#tree.utimes(path, mtime.getTime());
  }

  async #read(path: string): Promise<Uint8Array> {
    await this.#turn();
    if (this.#output.has(path)) return new Uint8Array(0);
    const { bytes, size } = this.#tree.getFile(path, "open");
    return bytes.subarray(0, size);
  }
}

function bytesOf(content: Content, options: Encoding): Uint8Array {
  if (typeof content !== "string") return content;
  const encoding = typeof options === "string" ? options : (options?.encoding ?? "utf8");
  return Buffer.from(content, encoding);
}

function statOf(node: TreeNode): Stat {
  return {
    isFile: node.type === "file",
    isDirectory: node.type === "directory",
    isSymbolicLink: node.type === "symlink",
    mode: node.mode,
    size: nodeBytes(node),
    mtime: new Date(node.mtimeMs),
    ino: node.ino,
    identity: String(node.ino),
  };
}

function deviceStat(): Stat {
  const kind = { isFile: true, isDirectory: false, isSymbolicLink: false };
  return { ...kind, mode: 0o666, size: 0, mtime: new Date() };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
