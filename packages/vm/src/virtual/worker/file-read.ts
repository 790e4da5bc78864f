import { CHANNEL, decodeFrame, FRAME_KIND } from "@agentos/protocol";

import { type DirectoryNode, type FileNode } from "../tree/tree-node.ts";
import type { Post } from "./post.ts";

const FRAME_PAYLOAD_BYTES = 256 * 1024;
const LETTERS = { file: "f", directory: "d", symlink: "l" } as const;

/** Bytes from one offset up to another, as they are now. */
type Source = (from: number, to: number) => Uint8Array;

export interface FileReadOptions {
  readonly post: Post;
  readonly stream: number;
  readonly windowBytes: number;
  readonly source: Source;
  readonly length: number;
  readonly onEnded: () => void;
}

/** Sends bytes as credit allows, then END. Nothing is held: what is sent again is read again. */
export class FileRead {
  readonly #options: FileReadOptions;
  #sent = 0;
  #acknowledged = 0;
  #state: "sending" | "ended" = "sending";

  constructor(options: FileReadOptions) {
    this.#options = options;
  }

  /** Sends what credit allows. */
  pump(): void {
    const { post, stream, windowBytes, source, length } = this.#options;
    while (this.#state === "sending") {
      const room = Math.min(this.#acknowledged + windowBytes - this.#sent, FRAME_PAYLOAD_BYTES);
      if (this.#sent < length && room <= 0) return;
      const bytes = source(this.#sent, Math.min(length, this.#sent + room));
      // The file may have become shorter meanwhile.
      if (bytes.byteLength === 0) return this.#end();
      post.frame(stream, FRAME_KIND.out, this.#sent, bytes);
      this.#sent += bytes.byteLength;
    }
  }

  receive(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame?.kind !== FRAME_KIND.ack || frame.offset > this.#sent) return;
    this.#acknowledged = Math.max(this.#acknowledged, frame.offset);
    this.pump();
    if (this.#state === "ended" && this.#acknowledged === this.#sent) this.#options.onEnded();
  }

  #end(): void {
    const { post, stream } = this.#options;
    this.#state = "ended";
    post.frame(stream, FRAME_KIND.end, this.#sent, Uint8Array.of(CHANNEL.stdout));
  }
}

/** A file's bytes from `start`; `length` undefined: to its end. */
export function fileSource(
  file: FileNode,
  start: number,
  length: number | undefined,
): { source: Source; length: number } {
  const rest = Math.max(0, file.size - start);
  return {
    source: (from, to) => file.bytes.subarray(start + from, Math.min(start + to, file.size)),
    length: length === undefined ? rest : Math.min(length, rest),
  };
}

/** A directory's entries as they are listed on the wire: type letter, length and name of each. */
export function directorySource(directory: DirectoryNode): { source: Source; length: number } {
  const entries = [...directory.children].map(([name, { type }]) => {
    const head = Buffer.alloc(3);
    head.write(LETTERS[type], "latin1");
    head.writeUInt16LE(Buffer.byteLength(name), 1);
    return Buffer.concat([head, Buffer.from(name)]);
  });
  const bytes = Buffer.concat(entries);
  return { source: (from, to) => bytes.subarray(from, to), length: bytes.byteLength };
}
