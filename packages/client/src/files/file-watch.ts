import { DEFAULTS, WatchReader, type WatchRecord } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { BuiltinProcess } from "./builtin-process.ts";
import type { WatchOptions } from "./file-options.ts";

/** Something that happened at or below a watched path. */
export type FileChange =
  | {
      readonly kind: "created" | "modified" | "removed";
      /** Absolute, in the VM. */
      readonly path: string;
      readonly isDirectory: boolean;
    }
  | {
      readonly kind: "renamed";
      readonly path: string;
      /** What it was called, absolute. */
      readonly from: string;
      readonly isDirectory: boolean;
    }
  /** More happened than could be seen: look for yourself, then go on. */
  | { readonly kind: "overflow" };

/** A watch: what happens, as it happens. It ends when its loop is left or it is disposed, or with what it watches. */
export class FileWatch implements AsyncIterable<FileChange>, AsyncDisposable {
  readonly #process: BuiltinProcess;
  readonly #path: string;
  readonly #changes: AsyncGenerator<FileChange, void>;

  private constructor(process: BuiltinProcess, path: string) {
    this.#process = process;
    this.#path = path;
    this.#changes = this.#read();
  }

  /** Resolves once it watches: what happens from then on is told. */
  static async start(
    admin: VmAdmin,
    path: string,
    { recursive = false, signal }: WatchOptions,
  ): Promise<FileWatch> {
    const process = await BuiltinProcess.start({
      admin,
      operation: "fs.watch",
      vmPath: path,
      ask: (connection, identity) => connection.request("fs.watch", { ...identity, recursive }),
      windowBytes: DEFAULTS.streamWindowBytes,
      signal,
    });
    const watch = new FileWatch(process, path);
    // Its first change is that it is ready.
    const { done } = await watch.#changes.next();
    if (done === true) await process.finished();
    return watch;
  }

  [Symbol.asyncIterator](): AsyncIterator<FileChange, void> {
    return {
      next: () => this.#changes.next(),
      return: async () => {
        await this[Symbol.asyncDispose]();
        return { done: true, value: undefined };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.abandon();
  }

  /** Throws why it ended, where that is not the end of what it watches. */
  async *#read(): AsyncGenerator<FileChange, void> {
    const reader = new WatchReader();
    for await (const chunk of this.#process.stdout)
      for (const record of reader.push(chunk)) yield this.#changeOf(record);
    await this.#process.finished();
  }

  #changeOf({ kind, path, from, isDirectory }: WatchRecord): FileChange {
    if (kind === "ready" || kind === "overflow") return { kind: "overflow" };
    if (kind === "renamed")
      return { kind, path: this.#full(path), from: this.#full(from), isDirectory };
    return { kind, path: this.#full(path), isDirectory };
  }

  #full(path: string): string {
    if (path === "") return this.#path;
    return this.#path.endsWith("/") ? `${this.#path}${path}` : `${this.#path}/${path}`;
  }
}
