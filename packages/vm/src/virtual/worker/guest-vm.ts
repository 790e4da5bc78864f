import { FileTree, type TreeSnapshot } from "../tree/file-tree.ts";
import { IMAGE_OWN } from "./base-image.ts";
import { callFiles } from "./file-call.ts";
import { directorySource, FileRead, fileSource } from "./file-read.ts";
import { statOf } from "./file-stat.ts";
import { FileWrite } from "./file-write.ts";
import { Gate } from "./gate.ts";
import type { GuestCall } from "./guest-call.ts";
import { GuestProcess, type GuestProcessOptions } from "./guest-process.ts";
import type { Pace } from "./pace.ts";
import type { Post } from "./post.ts";
import type { Shell } from "./shell.ts";
import { TreeTransfer } from "./tree-transfer.ts";

/** A stream between a VM and whoever reads or writes it. */
export interface GuestStream {
  receive(frame: Uint8Array): void;
  close(): void;
  /** The process's signal is in the table. */
  kill?(): void;
}

/** What the VMs of a worker share. */
export interface GuestParts {
  readonly shell: Shell;
  readonly post: Post;
  readonly pace: Pace;
  readonly signals: Int32Array;
  readonly streams: Map<number, GuestStream>;
}

type CallOf<Op extends GuestCall["op"]> = Extract<GuestCall, { op: Op }>;

/** The files and processes of one VM, in its worker. */
export class GuestVm {
  readonly #parts: GuestParts;
  readonly #tree: FileTree;
  readonly #gate = new Gate();
  readonly #processes = new Map<number, GuestProcess | TreeTransfer>();
  readonly #own = new Set<number>();

  constructor(parts: GuestParts, call: CallOf<"create">, from: TreeSnapshot, onFull: () => void) {
    this.#parts = parts;
    this.#tree = new FileTree({ ...call.limits, readOnly: IMAGE_OWN, onFull }, from);
  }

  get tree(): FileTree {
    return this.#tree;
  }

  /** Does what is asked, and gives the answer. Throws what the asker is to hear. */
  call(
    call: Exclude<GuestCall, CallOf<"create" | "end" | "snapshot" | "forget-snapshot">>,
  ): unknown {
    if (call.op === "ping") return undefined;
    if (call.op === "used-bytes") return this.#tree.bytes;
    if (call.op === "freeze") return call.frozen ? this.#gate.close() : this.#gate.open();
    if (call.op === "start") return this.#start(call);
    if (call.op === "resume") return this.#processes.get(call.stream)?.resume(call);
    if (call.op === "read") return this.#read(call);
    if (call.op === "readdir") return this.#readdir(call);
    if (call.op === "write") return this.#write(call);
    return callFiles(this.#tree, call);
  }

  /** Nothing of it goes on. */
  end(): void {
    this.#gate.open();
    for (const stream of this.#own) {
      this.#processes.get(stream)?.kill();
      this.#parts.streams.delete(stream);
    }
    this.#own.clear();
    this.#processes.clear();
  }

  #start({ stream, process: request }: CallOf<"start">): void {
    const { shell, post, pace, signals } = this.#parts;
    const options: GuestProcessOptions = {
      request,
      stream,
      shell,
      post,
      pace,
      signals,
      tree: this.#tree,
      gate: this.#gate,
      onEnded: () => undefined,
    };
    const process =
      request.builtin === true ? new TreeTransfer(options) : new GuestProcess(options);
    this.#processes.set(stream, process);
    this.#keep(stream, {
      receive: (frame) => process.receive(frame),
      kill: () => process.kill(),
      close: () => {
        process.forget();
        this.#processes.delete(stream);
        this.#drop(stream);
      },
    });
    // Not before the driver knows that it has started.
    setImmediate(() => void process.run());
  }

  #read(call: CallOf<"read">): unknown {
    const file = this.#tree.getFile(call.path, "open");
    this.#send(call, fileSource(file, call.start, call.length));
    return statOf(file);
  }

  #readdir(call: CallOf<"readdir">): unknown {
    const directory = this.#tree.getDirectory(call.path, "scandir");
    this.#send(call, directorySource(directory));
    return statOf(directory);
  }

  #send(
    { stream, windowBytes }: { stream: number; windowBytes: number },
    what: ReturnType<typeof fileSource>,
  ): void {
    const { post } = this.#parts;
    const onEnded = (): void => this.#drop(stream);
    const read = new FileRead({ post, stream, windowBytes, ...what, onEnded });
    this.#keep(stream, { receive: (frame) => read.receive(frame), close: onEnded });
    setImmediate(() => {
      if (this.#own.has(stream)) read.pump();
    });
  }

  async #write({ stream, request }: CallOf<"write">): Promise<{ size: number }> {
    const { post } = this.#parts;
    const write = new FileWrite({ post, stream, tree: this.#tree, request });
    this.#keep(stream, {
      receive: (frame) => write.receive(frame),
      close: () => write.cancel(),
    });
    try {
      return await write.written;
    } finally {
      this.#drop(stream);
    }
  }

  #keep(number: number, stream: GuestStream): void {
    this.#own.add(number);
    this.#parts.streams.set(number, stream);
  }

  #drop(number: number): void {
    this.#own.delete(number);
    this.#parts.streams.delete(number);
  }
}
