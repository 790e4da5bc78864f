import {
  decodeDirectoryEntries,
  type DirectoryEntry,
  type FileStat,
  isAgentOsError,
  parseArgument,
} from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import type { InputSource } from "../process/input-stream.ts";
import { OutputStream } from "../process/output-stream.ts";
import { ByteCollector } from "./byte-collector.ts";
import { download } from "./download.ts";
import {
  type CopyOptions,
  FILE_OPTIONS,
  type MkdirOptions,
  type ReadStreamOptions,
  type RmOptions,
  type TransferOptions,
  type UploadOptions,
  type WatchOptions,
  type WriteFileOptions,
  WRITE_FLAGS,
} from "./file-options.ts";
import { FileRead } from "./file-read.ts";
import { FileWatch } from "./file-watch.ts";
import { FileWrite, type WriteChoice } from "./file-write.ts";
import { lazyReadable } from "./lazy-readable.ts";
import type { TransferResult } from "./transfer-result.ts";
import { upload } from "./upload.ts";

/** The files of one VM. Paths are absolute, inside the VM; errors carry `errno` as Node's do. */
export class VmFiles {
  readonly #admin: VmAdmin;

  constructor(admin: VmAdmin) {
    this.#admin = admin;
  }

  /** A whole file, as bytes or as text. */
  readFile(path: string, encoding: "utf8"): Promise<string>;
  readFile(path: string): Promise<Uint8Array>;
  async readFile(path: string, encoding?: "utf8"): Promise<string | Uint8Array> {
    const bytes = await this.#collect(path, "file");
    return encoding === "utf8" ? bytes.toString("utf8") : bytes;
  }

  /** Writes a whole file, whose directory must exist. */
  async writeFile(path: string, data: InputSource, options: WriteFileOptions = {}): Promise<void> {
    const { flag = "w", ...rest } = parseArgument(FILE_OPTIONS.writeFile, options, "options");
    await this.#write({ path, how: WRITE_FLAGS[flag], ...rest }, data);
  }

  /** Adds to a file's end, making it where it is missing. */
  async appendFile(
    path: string,
    data: InputSource,
    options: { mode?: number | undefined } = {},
  ): Promise<void> {
    await this.writeFile(path, data, { ...options, flag: "a" });
  }

  /** What a directory holds, sorted by name. */
  readdir(path: string, options: { withFileTypes: true }): Promise<DirectoryEntry[]>;
  readdir(path: string, options?: { withFileTypes?: false | undefined }): Promise<string[]>;
  async readdir(
    path: string,
    options: { withFileTypes?: boolean | undefined } = {},
  ): Promise<string[] | DirectoryEntry[]> {
    const { withFileTypes } = parseArgument(FILE_OPTIONS.readdir, options, "options");
    const entries = decodeDirectoryEntries(await this.#collect(path, "directory"));
    return withFileTypes === true ? entries : entries.map(({ name }) => name);
  }

  /** A file's facts, links followed. */
  async stat(path: string): Promise<FileStat> {
    return (await this.#admin.request("fs.stat", { ...this.#admin.scope, path })).stat;
  }

  /** A file's facts, a link's own. */
  async lstat(path: string): Promise<FileStat> {
    return (await this.#admin.request("fs.lstat", { ...this.#admin.scope, path })).stat;
  }

  /** Whether something is there, links followed. */
  async exists(path: string): Promise<boolean> {
    try {
      await this.stat(path);
      return true;
    } catch (error) {
      if (!isAgentOsError(error, "FILE_SYSTEM")) throw error;
      if (error.errno === "ENOENT" || error.errno === "ENOTDIR") return false;
      throw error;
    }
  }

  async mkdir(path: string, options: MkdirOptions = {}): Promise<void> {
    const parsed = parseArgument(FILE_OPTIONS.mkdir, options, "options");
    await this.#admin.request("fs.mkdir", { ...this.#admin.scope, path, ...parsed });
  }

  /** Removes a file, or with `recursive` a tree. Has no deadline: a tree takes its time. */
  async rm(path: string, options: RmOptions = {}): Promise<void> {
    const parsed = parseArgument(FILE_OPTIONS.rm, options, "options");
    await this.#admin.request(
      "fs.rm",
      { ...this.#admin.scope, path, ...parsed },
      { deadlineMs: null },
    );
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#admin.request("fs.rename", { ...this.#admin.scope, from, to });
  }

  /** Copies a file, or with `recursive` a tree, within the VM. Has no deadline. */
  async copy(from: string, to: string, options: CopyOptions = {}): Promise<void> {
    const parsed = parseArgument(FILE_OPTIONS.copy, options, "options");
    const params = { ...this.#admin.scope, from, to, ...parsed };
    await this.#admin.request("fs.copy", params, { deadlineMs: null });
  }

  /** Makes a link at `path` that says `target`. */
  async symlink(target: string, path: string): Promise<void> {
    await this.#admin.request("fs.symlink", { ...this.#admin.scope, content: target, path });
  }

  async readlink(path: string): Promise<string> {
    return (await this.#admin.request("fs.readlink", { ...this.#admin.scope, path })).path;
  }

  async realpath(path: string): Promise<string> {
    return (await this.#admin.request("fs.realpath", { ...this.#admin.scope, path })).path;
  }

  async chmod(path: string, mode: number): Promise<void> {
    await this.#admin.request("fs.chmod", { ...this.#admin.scope, path, mode });
  }

  /** Sets a file's length, by default 0. */
  async truncate(path: string, length = 0): Promise<void> {
    await this.#admin.request("fs.truncate", { ...this.#admin.scope, path, length });
  }

  /** A file's bytes as they are read. Opens it at the first read, which rejects where that fails. */
  readStream(path: string, options: ReadStreamOptions = {}): ReadableStream<Uint8Array> {
    const choice = parseArgument(FILE_OPTIONS.readStream, options, "options");
    return lazyReadable(() => {
      const { sink } = new FileRead(
        this.#admin,
        { path, kind: "file", ...choice },
        (acknowledger, onSettled, onCancelled) =>
          new OutputStream(acknowledger, { onSettled, onCancelled }),
      );
      return sink.readable;
    });
  }

  /** Writes a file as its bytes come. Closing resolves once all is written; opening fails at the first write or the close. */
  writeStream(path: string, options: WriteFileOptions = {}): WritableStream<Uint8Array | string> {
    const { flag = "w", ...rest } = parseArgument(FILE_OPTIONS.writeFile, options, "options");
    let write: FileWrite | undefined;
    const begin = (): FileWrite => {
      write ??= new FileWrite(this.#admin, { path, how: WRITE_FLAGS[flag], ...rest });
      return write;
    };
    return new WritableStream<Uint8Array | string>({
      write: async (chunk) => {
        const begun = begin();
        // A write that stopped says why in `written`.
        if (!(await begun.input.write(chunk))) await begun.written;
      },
      close: async () => {
        const begun = begin();
        begun.input.end();
        await begun.written;
      },
      abort: (reason) => write?.cancel(reason),
    });
  }

  /** Copies a file or a tree of the host into the VM, at exactly `vmPath`, as one stream; links as links, permissions and times kept. */
  async upload(
    hostPath: string,
    vmPath: string,
    options: UploadOptions = {},
  ): Promise<TransferResult> {
    const checked = parseArgument(FILE_OPTIONS.upload, options, "options");
    return await upload(this.#admin, hostPath, vmPath, checked);
  }

  /** Copies a file or a tree of the VM to the host, at exactly `hostPath`, as one stream; links as links, permissions and times kept, nothing written through a link. */
  async download(
    vmPath: string,
    hostPath: string,
    options: TransferOptions = {},
  ): Promise<TransferResult> {
    const checked = parseArgument(FILE_OPTIONS.download, options, "options");
    return await download(this.#admin, vmPath, hostPath, checked);
  }

  /** Tells what happens at a path and in it, from the moment that this resolves. What is watched may be made and removed meanwhile; it must be there now. */
  async watch(path: string, options: WatchOptions = {}): Promise<FileWatch> {
    const checked = parseArgument(FILE_OPTIONS.watch, options, "options");
    return await FileWatch.start(this.#admin, path, checked);
  }

  async #collect(path: string, kind: "file" | "directory"): Promise<Buffer> {
    const { sink } = new FileRead(
      this.#admin,
      { path, kind },
      (acknowledger, settle) => new ByteCollector(acknowledger, settle, kind === "file"),
    );
    return await sink.whole;
  }

  async #write(choice: WriteChoice, data: InputSource): Promise<void> {
    const write = new FileWrite(this.#admin, choice);
    write.input.feed(data).catch((error: unknown) => write.cancel(error));
    await write.written;
  }
}
