import type {
  FrameSink,
  FrameSource,
  ReadRequest,
  VmFiles,
  VmWrite,
  WriteRequest,
} from "@agentos/core";
import { type AgentOsError, DEFAULTS, FileStat } from "@agentos/protocol";
import * as z from "zod";

import type { GuestWorker } from "./guest-worker.ts";
import type { GuestCall } from "./worker/guest-call.ts";

const Written = z.object({ size: z.int() });
const Text = z.string();

type Reading = Extract<GuestCall, { op: "read" | "readdir" }>;
type Unnumbered<T> = T extends unknown ? Omit<T, "stream"> : never;

/** The files of a virtual VM: its worker has them. */
export class VirtualFiles implements VmFiles {
  readonly #worker: GuestWorker;
  readonly #vm: number;
  /** What an operation on a VM that is gone is told. */
  readonly #gone: () => AgentOsError;

  constructor(worker: GuestWorker, vm: number, gone: () => AgentOsError) {
    this.#worker = worker;
    this.#vm = vm;
    this.#gone = gone;
  }

  async stat(path: string): Promise<FileStat> {
    return FileStat.parse(await this.#call({ op: "stat", path }));
  }

  async lstat(path: string): Promise<FileStat> {
    return FileStat.parse(await this.#call({ op: "lstat", path }));
  }

  async mkdir(path: string, options: { mode: number; recursive: boolean }): Promise<void> {
    await this.#call({ op: "mkdir", path, ...options });
  }

  async rm(path: string, options: { recursive: boolean; force: boolean }): Promise<void> {
    await this.#call({ op: "rm", path, ...options });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call({ op: "rename", from, to });
  }

  async copy(
    from: string,
    to: string,
    options: { recursive: boolean; overwrite: boolean },
  ): Promise<void> {
    await this.#call({ op: "copy", from, to, ...options });
  }

  async symlink(content: string, path: string): Promise<void> {
    await this.#call({ op: "symlink", content, path });
  }

  async readlink(path: string): Promise<string> {
    return Text.parse(await this.#call({ op: "readlink", path }));
  }

  async realpath(path: string): Promise<string> {
    return Text.parse(await this.#call({ op: "realpath", path }));
  }

  async chmod(path: string, mode: number): Promise<void> {
    await this.#call({ op: "chmod", path, mode });
  }

  async truncate(path: string, length: number): Promise<void> {
    await this.#call({ op: "truncate", path, length });
  }

  async read(
    request: ReadRequest,
    sink: FrameSink,
  ): Promise<{ stat: FileStat; stream: FrameSource }> {
    return await this.#read({ op: "read", ...request }, sink);
  }

  async readdir(path: string, sink: FrameSink): Promise<{ stat: FileStat; stream: FrameSource }> {
    const windowBytes = DEFAULTS.streamWindowBytes;
    return await this.#read({ op: "readdir", path, windowBytes }, sink);
  }

  write(request: WriteRequest, sink: FrameSink): VmWrite {
    const stream = this.#open(sink);
    const written = this.#written(stream, request);
    // The caller may be gone before it asks how the write ended.
    written.catch(() => undefined);
    return { ...this.#source(stream), written };
  }

  async #written(stream: number, request: WriteRequest): Promise<{ size: number }> {
    try {
      return Written.parse(await this.#call({ op: "write", stream, request }));
    } finally {
      this.#worker.closeStream(stream);
    }
  }

  async #read(
    call: Unnumbered<Reading>,
    sink: FrameSink,
  ): Promise<{ stat: FileStat; stream: FrameSource }> {
    const stream = this.#open(sink);
    try {
      const stat = FileStat.parse(await this.#call({ ...call, stream }));
      return { stat, stream: this.#source(stream) };
    } catch (error) {
      this.#worker.closeStream(stream);
      throw error;
    }
  }

  #open(sink: FrameSink): number {
    return this.#worker.openStream({
      frame: (frame) => sink.frame(frame),
      lost: () => sink.closed(this.#gone()),
    });
  }

  #source(stream: number): FrameSource {
    return {
      send: (frame) => this.#worker.sendFrame(stream, frame),
      close: () => this.#worker.closeStream(stream),
    };
  }

  async #call(call: GuestCall): Promise<unknown> {
    return await this.#worker.call(this.#vm, call);
  }
}
