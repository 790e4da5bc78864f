import type {
  FrameSink,
  FrameSource,
  ReadRequest,
  VmFiles,
  VmWrite,
  WriteRequest,
} from "@agentos/core";
import {
  AgentOsError,
  DEFAULTS,
  type FileStat,
  FRAME_HEADER_BYTES,
  isAgentOsError,
} from "@agentos/protocol";

import type { Failure } from "../link/failure.ts";
import { readFields } from "../link/fields.ts";
import { readFileStat } from "../link/file-stat.ts";
import type { Link, Reply } from "../link/link.ts";
import { FIELD, LINK_KIND } from "../link/link-kinds.ts";
import { PayloadReader } from "../link/payload-reader.ts";
import { Stream } from "../link/stream.ts";
import { StreamCredit } from "../link/stream-credit.ts";
import { violation } from "../link/violation.ts";
import { fileSystemError } from "./file-failure.ts";
import { encodeFile, FILE_FLAG, FILE_OP, type FileRequest } from "./file-request.ts";

/** Removing or copying a tree may take long; a stuck one is cancelled after this. */
const TREE_MS = 600_000;
const CANCELLED = "ECANCELED";
const NO_SPACE = "ENOSPC";

const WRITE_FLAGS: Readonly<Record<WriteRequest["how"], number>> = {
  truncate: 0,
  append: FILE_FLAG.append,
  exclusive: FILE_FLAG.exclusive,
  keep: FILE_FLAG.keep,
};

/** File operations, each done by PID 1 inside the VM. */
export class LinuxFiles implements VmFiles {
  /** Called when an operation failed because there was no room. */
  onNoSpace: (() => void) | undefined;
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  async stat(path: string): Promise<FileStat> {
    return statOf(await this.#ask({ op: FILE_OP.stat, syscall: "stat", path }));
  }

  async lstat(path: string): Promise<FileStat> {
    return statOf(await this.#ask({ op: FILE_OP.lstat, syscall: "lstat", path }));
  }

  async mkdir(path: string, options: { mode: number; recursive: boolean }): Promise<void> {
    const { mode, recursive } = options;
    const flags = recursive ? FILE_FLAG.recursive : 0;
    await this.#ask({ op: FILE_OP.mkdir, syscall: "mkdir", path, mode, flags });
  }

  async rm(path: string, options: { recursive: boolean; force: boolean }): Promise<void> {
    const flags =
      (options.recursive ? FILE_FLAG.recursive : 0) | (options.force ? FILE_FLAG.force : 0);
    await this.#ask({ op: FILE_OP.rm, syscall: "rm", path, flags });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#ask({ op: FILE_OP.rename, syscall: "rename", path: from, path2: to });
  }

  async copy(
    from: string,
    to: string,
    options: { recursive: boolean; overwrite: boolean },
  ): Promise<void> {
    const flags =
      (options.recursive ? FILE_FLAG.recursive : 0) |
      (options.overwrite ? 0 : FILE_FLAG.noOverwrite);
    await this.#ask({ op: FILE_OP.copy, syscall: "copyfile", path: from, path2: to, flags });
  }

  async symlink(content: string, path: string): Promise<void> {
    await this.#ask({ op: FILE_OP.symlink, syscall: "symlink", path, path2: content });
  }

  async readlink(path: string): Promise<string> {
    return pathOf(await this.#ask({ op: FILE_OP.readlink, syscall: "readlink", path }));
  }

  async realpath(path: string): Promise<string> {
    return pathOf(await this.#ask({ op: FILE_OP.realpath, syscall: "realpath", path }));
  }

  /** Bytes that the file system at `path` holds. */
  async usedBytes(path: string): Promise<number> {
    const payload = await this.#ask({ op: FILE_OP.space, syscall: "statfs", path });
    const value = readFields(payload, [FIELD.length]).get(FIELD.length);
    if (value === undefined) throw violation("an answer without a length");
    return new PayloadReader(value).u64();
  }

  async chmod(path: string, mode: number): Promise<void> {
    await this.#ask({ op: FILE_OP.chmod, syscall: "chmod", path, mode });
  }

  async truncate(path: string, length: number): Promise<void> {
    await this.#ask({ op: FILE_OP.truncate, syscall: "truncate", path, length });
  }

  async read(
    request: ReadRequest,
    sink: FrameSink,
  ): Promise<{ stat: FileStat; stream: FrameSource }> {
    const { path, start, length, windowBytes: window } = request;
    const rest = length === undefined ? {} : { length };
    return this.#openRead(
      { op: FILE_OP.read, syscall: "open", path, start, window, ...rest },
      window,
      sink,
    );
  }

  async readdir(path: string, sink: FrameSink): Promise<{ stat: FileStat; stream: FrameSource }> {
    const window = DEFAULTS.streamWindowBytes;
    return this.#openRead({ op: FILE_OP.readdir, syscall: "scandir", path, window }, window, sink);
  }

  write(request: WriteRequest, sink: FrameSink): VmWrite {
    const { path, mode, start, windowBytes: window } = request;
    const file: FileRequest = {
      op: FILE_OP.write,
      syscall: "open",
      path,
      mode,
      start,
      window,
      flags: WRITE_FLAGS[request.how],
    };
    const write = new FileWrite(this.#link, file, window, sink);
    write.written.catch((error: unknown) => this.#noteFailure(error));
    return write;
  }

  /** One operation that is answered at once. */
  async #ask(request: FileRequest): Promise<Uint8Array> {
    const tree = request.op === FILE_OP.rm || request.op === FILE_OP.copy;
    const reply = await this.#link.request({
      kind: LINK_KIND.file,
      payload: encodeFile(request),
      answer: LINK_KIND.fileResult,
      operation: request.syscall,
      ...(tree ? { deadlineMs: TREE_MS, cancels: true } : {}),
    });
    try {
      return payloadOf(reply, request);
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  #noteFailure(error: unknown): void {
    if (isAgentOsError(error, "FILE_SYSTEM") && error.details.errno === NO_SPACE)
      this.onNoSpace?.();
  }

  async #openRead(
    request: FileRequest,
    windowBytes: number,
    sink: FrameSink,
  ): Promise<{ stat: FileStat; stream: FrameSource }> {
    const payload = encodeFile(request);
    const credit = new StreamCredit({ windowBytes, stdinWindowBytes: 0, gaps: false });
    const stream = new Stream(this.#link, sink, credit, { opening: LINK_KIND.fileResult });
    const reply = await stream.open(LINK_KIND.file, payload, request.syscall);
    return { stat: statOf(payloadOf(reply, request)), stream };
  }
}

/** A file that is being written: bytes go in until the end, then its size comes out. */
class FileWrite implements VmWrite {
  readonly written: Promise<{ size: number }>;
  readonly #stream: Stream;
  readonly #written = Promise.withResolvers<{ size: number }>();

  constructor(link: Link, request: FileRequest, stdinWindowBytes: number, sink: FrameSink) {
    this.written = this.#written.promise;
    // The sender may learn of the failure by its sink alone.
    this.written.catch(() => {});
    const payload = encodeFile(request);
    const credit = new StreamCredit({ windowBytes: 0, stdinWindowBytes, gaps: false });
    this.#stream = new Stream(link, sink, credit, {
      other: (kind, frame) => this.#result(kind, frame),
      failed: (failure) => this.#fail(failureOf(failure, request)),
      closed: (reason) => this.#written.reject(reason ?? cancelled(request)),
    });
    link.send(LINK_KIND.file, this.#stream.number, payload);
  }

  send(frame: Uint8Array): void {
    this.#stream.send(frame);
  }

  close(): void {
    this.#stream.close();
  }

  #result(kind: number, frame: Uint8Array): boolean {
    if (kind !== LINK_KIND.fileResult) return false;
    const fields = readFields(frame.subarray(FRAME_HEADER_BYTES), [FIELD.length]);
    const size = fields.get(FIELD.length);
    if (size === undefined) throw violation("a result without the file's size");
    this.#written.resolve({ size: new PayloadReader(size).u64() });
    this.#stream.forget();
    return true;
  }

  #fail(error: AgentOsError): boolean {
    this.#written.reject(error);
    this.#stream.forget();
    this.#stream.breakOff(error);
    return true;
  }
}

function payloadOf(reply: Reply, request: FileRequest): Uint8Array {
  if (reply.ok) return reply.payload;
  throw failureOf(reply.failure, request);
}

/** Paths are named in the order that Node names them. */
function failureOf({ errno }: Failure, request: FileRequest): AgentOsError {
  if (errno.name === CANCELLED) return cancelled(request);
  const { op, path, path2, syscall } = request;
  if (op === FILE_OP.symlink) return fileSystemError(errno, syscall, path2, path);
  return fileSystemError(errno, syscall, path, path2);
}

function cancelled({ syscall, path }: FileRequest): AgentOsError<"CANCELLED"> {
  return new AgentOsError("CANCELLED", `${syscall} '${path}' was cancelled`, {
    operation: syscall,
  });
}

function statOf(payload: Uint8Array): FileStat {
  const stat = readFields(payload, [FIELD.stat]).get(FIELD.stat);
  if (stat === undefined) throw violation("a result without a stat");
  return readFileStat(stat);
}

function pathOf(payload: Uint8Array): string {
  const path = readFields(payload, [FIELD.path]).get(FIELD.path);
  if (path === undefined) throw violation("a result without a path");
  return Buffer.from(path).toString();
}
