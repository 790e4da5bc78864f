import type { WriteRequest } from "@agentos/core";
import { AgentOsError, decodeFrame, FRAME_KIND } from "@agentos/protocol";

import type { FileTree } from "../tree/file-tree.ts";
import { treeError } from "../tree/tree-error.ts";
import type { Post } from "./post.ts";

export interface FileWriteOptions {
  readonly post: Post;
  readonly stream: number;
  readonly tree: FileTree;
  readonly request: WriteRequest;
}

/** Writes what comes to a file, and acknowledges it. */
export class FileWrite {
  /** Resolves with the file's size once the end has come. */
  readonly written: Promise<{ size: number }>;
  readonly #options: FileWriteOptions;
  readonly #result = Promise.withResolvers<{ size: number }>();
  readonly #start: number;
  #received = 0;

  /** Throws what opening the file throws. */
  constructor(options: FileWriteOptions) {
    const { tree, request } = options;
    tree.openFile(request.path, request.mode, request.how);
    const { size } = tree.getFile(request.path, "open");
    this.#start = request.how === "append" ? size : request.start;
    this.#options = options;
    this.written = this.#result.promise;
  }

  receive(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) return;
    const { tree, request } = this.#options;
    try {
      if (frame.kind === FRAME_KIND.dataIn) this.#take(frame.offset, frame.payload);
      if (frame.kind !== FRAME_KIND.eofIn) return;
      if (frame.offset !== this.#received) throw treeError("ERANGE", "write", request.path);
      this.#result.resolve({ size: tree.getFile(request.path, "write").size });
    } catch (error) {
      this.#result.reject(error);
    }
  }

  cancel(): void {
    const { path } = this.#options.request;
    const message = `the write to '${path}' was cancelled`;
    this.#result.reject(new AgentOsError("CANCELLED", message, { operation: "open" }));
  }

  #take(offset: number, payload: Uint8Array): void {
    const { tree, request, post, stream } = this.#options;
    if (offset > this.#received) throw treeError("ERANGE", "write", request.path);
    const fresh = payload.subarray(this.#received - offset);
    tree.writeAt(request.path, this.#start + this.#received, fresh);
    this.#received += fresh.byteLength;
    post.frame(stream, FRAME_KIND.inAck, this.#received);
  }
}
