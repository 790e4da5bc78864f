import type {
  FrameSink,
  FrameSource,
  ReadRequest,
  VmFiles,
  VmWrite,
  WriteRequest,
} from "@agentos/core";
import { DEFAULTS, type FileStat } from "@agentos/protocol";

import { FakeFileRead, FakeFileWrite, type Losable } from "./fake-file-streams.ts";
import { fileError } from "./file-error.ts";
import { MemoryFile } from "./memory-file.ts";
import { type MemoryNode, MemoryTree } from "./memory-tree.ts";

const TYPE_LETTERS = { file: "f", directory: "d", symlink: "l" } as const;

export interface FakeFilesOptions {
  /** Throws where the VM is gone. */
  readonly check: () => void;
  readonly nextStream: () => number;
  readonly track: (stream: Losable) => void;
}

/** File operations on a tree in memory, with the errors of a real filesystem. */
export class FakeFiles implements VmFiles {
  readonly tree = new MemoryTree();
  readonly #options: FakeFilesOptions;

  constructor(options: FakeFilesOptions) {
    this.#options = options;
  }

  async stat(path: string): Promise<FileStat> {
    this.#options.check();
    return statOf(this.tree.get(path, "stat"));
  }

  async lstat(path: string): Promise<FileStat> {
    this.#options.check();
    return statOf(this.tree.get(path, "lstat", false));
  }

  async mkdir(path: string, options: { mode: number; recursive: boolean }): Promise<void> {
    this.#options.check();
    if (options.recursive) {
      this.tree.makeDirectories(path, options.mode);
      return;
    }
    const { parent, name, node } = this.tree.locate(path, "mkdir", false);
    if (node !== undefined) throw fileError("EEXIST", "mkdir", path);
    parent.children.set(name, this.tree.directory(options.mode));
  }

  async rm(path: string, options: { recursive: boolean; force: boolean }): Promise<void> {
    this.#options.check();
    const { parent, name, node } = this.tree.locate(path, "rm", false);
    if (node === undefined && options.force) return;
    if (node === undefined) throw fileError("ENOENT", "rm", path);
    if (node.type === "directory" && !options.recursive) throw fileError("EISDIR", "rm", path);
    parent.children.delete(name);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#options.check();
    const source = this.tree.locate(from, "rename", false);
    const target = this.tree.locate(to, "rename", false);
    if (source.node === undefined) throw fileError("ENOENT", "rename", from, to);
    const isDirectory = source.node.type === "directory";
    if (isDirectory && `${target.realpath}/`.startsWith(`${source.realpath}/`)) {
      if (target.node === source.node) return;
      throw fileError("EINVAL", "rename", from, to);
    }
    if (target.node?.type === "directory" && !isDirectory) {
      throw fileError("EISDIR", "rename", from, to);
    }
    if (target.node?.type === "directory" && target.node.children.size > 0) {
      throw fileError("ENOTEMPTY", "rename", from, to);
    }
    source.parent.children.delete(source.name);
    target.parent.children.set(target.name, source.node);
  }

  async copy(
    from: string,
    to: string,
    options: { recursive: boolean; overwrite: boolean },
  ): Promise<void> {
    this.#options.check();
    const source = this.tree.get(from, "copy", false);
    const target = this.tree.locate(to, "copy", false);
    if (source.type === "directory" && !options.recursive) {
      throw fileError("EISDIR", "copy", from, to);
    }
    if (target.node !== undefined && !options.overwrite)
      throw fileError("EEXIST", "copy", from, to);
    target.parent.children.set(target.name, this.#clone(source));
  }

  async symlink(content: string, path: string): Promise<void> {
    this.#options.check();
    const { parent, name, node } = this.tree.locate(path, "symlink", false);
    if (node !== undefined) throw fileError("EEXIST", "symlink", content, path);
    parent.children.set(name, this.tree.symlink(content));
  }

  async readlink(path: string): Promise<string> {
    this.#options.check();
    const node = this.tree.get(path, "readlink", false);
    if (node.type !== "symlink") throw fileError("EINVAL", "readlink", path);
    return node.content;
  }

  async realpath(path: string): Promise<string> {
    this.#options.check();
    this.tree.get(path, "realpath");
    return this.tree.locate(path, "realpath").realpath;
  }

  async chmod(path: string, mode: number): Promise<void> {
    this.#options.check();
    this.tree.get(path, "chmod").mode = mode;
  }

  async truncate(path: string, length: number): Promise<void> {
    this.#options.check();
    this.tree.getFile(path, "truncate").truncate(length);
  }

  async read(
    request: ReadRequest,
    sink: FrameSink,
  ): Promise<{ stat: FileStat; stream: FrameSource }> {
    this.#options.check();
    const file = this.tree.getFile(request.path, "open");
    const end = request.length === undefined ? undefined : request.start + request.length;
    return this.#send(statOf(file), file.read(request.start, end), request.windowBytes, sink);
  }

  async readdir(path: string, sink: FrameSink): Promise<{ stat: FileStat; stream: FrameSource }> {
    this.#options.check();
    const node = this.tree.get(path, "scandir");
    if (node.type !== "directory") throw fileError("ENOTDIR", "scandir", path);
    const entries = [...node.children].map(([name, child]) => entryOf(name, child));
    const bytes = Buffer.concat(entries);
    return this.#send(statOf(node), bytes, DEFAULTS.streamWindowBytes, sink);
  }

  write(request: WriteRequest, sink: FrameSink): VmWrite {
    this.#options.check();
    const write = new FakeFileWrite(this.tree, request, sink, this.#options.nextStream());
    this.#options.track(write);
    return write;
  }

  #send(
    stat: FileStat,
    bytes: Uint8Array,
    windowBytes: number,
    sink: FrameSink,
  ): { stat: FileStat; stream: FrameSource } {
    const stream = new FakeFileRead(bytes, windowBytes, sink, this.#options.nextStream());
    this.#options.track(stream);
    return { stat, stream };
  }

  #clone(node: MemoryNode): MemoryNode {
    if (node.type === "symlink") return this.tree.symlink(node.content);
    if (node instanceof MemoryFile) {
      const file = this.tree.file(node.mode);
      file.writeAt(0, node.read());
      return file;
    }
    const directory = this.tree.directory(node.mode);
    for (const [name, child] of node.children) {
      directory.children.set(name, this.#clone(child));
    }
    return directory;
  }
}

function statOf(node: MemoryNode): FileStat {
  const { type, mode, ino, mtimeMs } = node;
  const times = { mtimeMs, atimeMs: mtimeMs, ctimeMs: mtimeMs };
  return { type, mode, size: sizeOf(node), ino, nlink: 1, uid: 1000, gid: 1000, ...times };
}

function sizeOf(node: MemoryNode): number {
  if (node instanceof MemoryFile) return node.size;
  return node.type === "symlink" ? Buffer.byteLength(node.content) : 0;
}

function entryOf(name: string, node: MemoryNode): Buffer {
  const head = Buffer.alloc(3);
  head.write(TYPE_LETTERS[node.type], "latin1");
  head.writeUInt16LE(Buffer.byteLength(name), 1);
  return Buffer.concat([head, Buffer.from(name)]);
}
