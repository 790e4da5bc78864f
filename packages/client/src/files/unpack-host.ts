import { basename, dirname, resolve } from "node:path";

import { AgentOsError, type FileType, type TreeRecord } from "@agentos/protocol";

import type { ExclusionRules } from "./exclusion-rules.ts";
import { HostDirectory } from "./host-directory.ts";
import { HostFile } from "./host-file.ts";
import type { TransferResult } from "./transfer-result.ts";

type RecordOf<K extends TreeRecord["kind"]> = Extract<TreeRecord, { kind: K }>;
type EntryRecord = RecordOf<"directory" | "file" | "link" | "hardLink" | "skipped">;

const TYPES: Readonly<Record<string, FileType>> = {
  c: "character_device",
  b: "block_device",
  p: "fifo",
};
const NO_NAMES = ["", ".", ".."];

interface OpenDirectory {
  readonly directory: HostDirectory;
  /** Its path below the top, as bytes. */
  readonly below: Buffer;
}

export interface HostUnpackOptions {
  readonly vmPath: string;
  readonly hostPath: string;
  readonly rules: ExclusionRules;
  /** Counted up as it goes. */
  readonly result: TransferResult;
}

/** Writes the records of a tree stream to the host, never outside of the path that was named. */
export class HostUnpack implements Disposable {
  readonly #options: HostUnpackOptions;
  readonly #stack: OpenDirectory[] = [];
  /** The directory of a top that is a file. */
  #above: HostDirectory | undefined;
  #file: HostFile | undefined;
  /** Directories within one that is left out, itself included. */
  #excluded = 0;

  constructor(options: HostUnpackOptions) {
    this.#options = options;
  }

  /** Takes the next record. A promise where it has to be waited for. */
  take(record: TreeRecord): Promise<void> | undefined {
    if (record.kind === "piece") return this.#file?.write(record.offset, record.bytes);
    if (record.kind === "fileEnd") this.#endFile();
    else if (record.kind === "up") this.#up();
    else if (record.kind !== "end") this.#entry(record);
    return undefined;
  }

  /** Closes what is open. What is not whole goes. */
  [Symbol.dispose](): void {
    this.#file?.abandon();
    for (const { directory } of this.#stack.splice(0).toReversed()) directory.leave();
    this.#above?.leave();
  }

  #entry(record: EntryRecord): void {
    const top = this.#stack.at(-1);
    const below = top === undefined ? Buffer.alloc(0) : joined(top.below, record.name);
    const isDirectory = record.kind === "directory";
    const { rules } = this.#options;
    if (this.#excluded > 0 || (top !== undefined && rules.excludes(below, isDirectory))) {
      if (isDirectory) this.#excluded += 1;
      return;
    }
    if (record.kind === "directory") this.#enter(record, top?.directory, below);
    else if (record.kind === "file") this.#beginFile(record, top?.directory);
    else if (top !== undefined) this.#other(record, top);
  }

  #enter(
    { name, mode, mtimeMs }: RecordOf<"directory">,
    parent: HostDirectory | undefined,
    below: Buffer,
  ): void {
    const path = resolve(this.#options.hostPath);
    const attributes = { mode, mtimeMs };
    const directory = parent?.enter(name, attributes) ?? HostDirectory.top(path, attributes);
    this.#stack.push({ directory, below });
    this.#options.result.directories += 1;
  }

  #beginFile(record: RecordOf<"file">, parent: HostDirectory | undefined): void {
    if (parent !== undefined) {
      this.#file = new HostFile(parent, record.name, record);
      return;
    }
    const path = resolve(this.#options.hostPath);
    this.#above = HostDirectory.at(dirname(path));
    this.#file = new HostFile(this.#above, Buffer.from(basename(path)), record);
  }

  #endFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    file.finish();
    this.#options.result.files += 1;
    this.#options.result.bytes += file.size;
  }

  #other(
    record: RecordOf<"link" | "hardLink" | "skipped">,
    { directory, below }: OpenDirectory,
  ): void {
    const { result, vmPath } = this.#options;
    if (record.kind === "link") {
      directory.symlink(record.name, record.content);
      result.links += 1;
    } else if (record.kind === "hardLink") {
      const top = this.#stack[0]?.directory ?? directory;
      directory.hardLink(record.name, top, namesOf(record.path));
      result.files += 1;
    } else {
      const path = `${vmPath}/${joined(below, record.name).toString()}`;
      result.skipped.push({ path, type: TYPES[record.type] ?? "socket" });
    }
  }

  #up(): void {
    if (this.#excluded > 0) this.#excluded -= 1;
    else this.#stack.pop()?.directory.leave();
  }
}

function joined(directory: Buffer, name: Uint8Array): Buffer {
  if (directory.byteLength === 0) return Buffer.from(name);
  return Buffer.concat([directory, Buffer.from("/"), name]);
}

/** The components of a path below the top, each a name that leads nowhere else. */
function namesOf(path: Uint8Array): Buffer[] {
  const names = Buffer.from(path).toString("latin1").split("/");
  if (!names.some((name) => NO_NAMES.includes(name)))
    return names.map((name) => Buffer.from(name, "latin1"));
  const reason = "a hard link to a path that is not below the top";
  throw new AgentOsError("PROTOCOL_ERROR", `the tree stream has ${reason}`, { reason });
}
