import type { FrameSink, FrameSource, VmWrite, WriteRequest } from "@agentos/core";
import { AgentOsError, CHANNEL, decodeFrame, FRAME_KIND } from "@agentos/protocol";

import { FakeStream } from "./fake-stream.ts";
import { fileError } from "./file-error.ts";
import type { MemoryFile } from "./memory-file.ts";
import type { MemoryTree } from "./memory-tree.ts";
import { PipedOutput } from "./piped-output.ts";

/** Something that a dying VM takes with it. */
export interface Losable {
  lose(reason: AgentOsError): void;
}

/** Sends bytes as OUT frames, as credit allows, then END. */
export class FakeFileRead implements FrameSource, Losable {
  readonly #stream: FakeStream;
  readonly #output: PipedOutput;

  constructor(bytes: Uint8Array, windowBytes: number, sink: FrameSink, stream: number) {
    this.#stream = new FakeStream(sink, stream);
    const options = { kind: FRAME_KIND.out, channel: CHANNEL.stdout, windowBytes };
    this.#output = new PipedOutput({ ...options, stream: this.#stream });
    void this.#output.write(bytes).then(() => this.#output.end());
  }

  send(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame?.kind !== FRAME_KIND.ack) throw new Error("a file read takes acknowledgements only");
    this.#output.ack(frame.offset);
  }

  close(): void {
    this.#stream.release();
    this.#output.drop();
  }

  lose(reason: AgentOsError): void {
    this.#stream.break(reason);
    this.#output.drop();
  }
}

/** Writes DATA_IN frames to a file and acknowledges each. */
export class FakeFileWrite implements VmWrite, Losable {
  readonly written: Promise<{ size: number }>;
  readonly #stream: FakeStream;
  readonly #result = Promise.withResolvers<{ size: number }>();
  #file: MemoryFile | undefined;
  #start = 0;
  #received = 0;

  constructor(tree: MemoryTree, request: WriteRequest, sink: FrameSink, stream: number) {
    this.#stream = new FakeStream(sink, stream);
    this.written = this.#result.promise;
    // The caller may be gone before it asks how the write ended.
    this.written.catch(() => undefined);
    try {
      this.#file = open(tree, request);
      this.#start = request.how === "append" ? this.#file.size : request.start;
    } catch (error) {
      this.#result.reject(error);
    }
  }

  send(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) throw new Error("the fake write got bytes that are not one frame");
    const file = this.#file;
    if (file === undefined) return;
    if (frame.kind === FRAME_KIND.eofIn) {
      this.#file = undefined;
      if (frame.offset !== this.#received) return this.#result.reject(outOfRange());
      this.#result.resolve({ size: file.size });
    } else if (frame.kind === FRAME_KIND.dataIn) {
      this.#take(file, frame.offset, frame.payload);
    } else {
      throw new Error(`the fake write got a frame of kind ${frame.kind}`);
    }
  }

  close(): void {
    this.#file = undefined;
    this.#stream.release();
    this.#result.reject(
      new AgentOsError("CANCELLED", "the write was cancelled", { operation: "write" }),
    );
  }

  lose(reason: AgentOsError): void {
    this.#file = undefined;
    this.#stream.break(reason);
    this.#result.reject(reason);
  }

  #take(file: MemoryFile, offset: number, payload: Uint8Array): void {
    if (offset > this.#received) {
      this.#file = undefined;
      return this.#result.reject(outOfRange());
    }
    const fresh = payload.subarray(this.#received - offset);
    file.writeAt(this.#start + this.#received, fresh);
    this.#received += fresh.byteLength;
    this.#stream.emit(FRAME_KIND.inAck, this.#received);
  }
}

function outOfRange(): AgentOsError {
  return new AgentOsError("FILE_SYSTEM", "ERANGE: the offset leaves a gap, write", {
    errno: "ERANGE",
    syscall: "write",
  });
}

function open(tree: MemoryTree, request: WriteRequest): MemoryFile {
  const { parent, name, node } = tree.locate(request.path, "open", request.how !== "exclusive");
  if (node !== undefined && request.how === "exclusive") {
    throw fileError("EEXIST", "open", request.path);
  }
  if (node === undefined) {
    const file = tree.file(request.mode);
    parent.children.set(name, file);
    return file;
  }
  const file = tree.getFile(request.path, "open");
  if (request.how === "truncate") file.truncate(0);
  return file;
}
