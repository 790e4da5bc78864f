import { DEFAULTS, encodeFrame, FRAME_KIND } from "@agentos/protocol";

import type { VmStream } from "../leases/vm-stream.ts";

const CHUNK_BYTES = 64 * 1024;

/** What can be fed to a process or a file. */
export type InputSource =
  | string
  | Uint8Array
  | ReadableStream<Uint8Array | string>
  | AsyncIterable<Uint8Array | string>;

/** Sends bytes into a stream, never more than its window ahead of what was taken. */
export class InputStream {
  readonly #stream: VmStream;
  readonly #windowBytes: number;
  #sent = 0;
  #taken = 0;
  #state: "open" | "ended" | "stopped" = "open";
  readonly #over = Promise.withResolvers<undefined>();
  #wake: (() => void) | undefined;

  constructor(stream: VmStream, windowBytes: number = DEFAULTS.streamWindowBytes) {
    this.#stream = stream;
    this.#windowBytes = windowBytes;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Sends what fits at once, the rest as it is taken. False: the other side is gone. One write at a time. */
  async write(data: string | Uint8Array): Promise<boolean> {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.byteLength;) {
      if (!this.isOpen) return false;
      const room = this.#windowBytes - (this.#sent - this.#taken);
      if (room <= 0) await this.#taking();
      else at += this.#send(bytes.subarray(at, at + Math.min(room, CHUNK_BYTES)));
    }
    return this.isOpen;
  }

  /** Nothing follows. */
  end(): void {
    if (!this.isOpen) return;
    this.#stream.send(encodeFrame(FRAME_KIND.eofIn, this.#stream.number, this.#sent));
    this.#finish("ended");
  }

  /** Writes all of `source`, then ends. Rejects with the source's own error, after ending. */
  async feed(source: InputSource): Promise<void> {
    try {
      if (typeof source === "string" || source instanceof Uint8Array) await this.write(source);
      else await this.#pump(chunksOf(source));
    } finally {
      this.end();
    }
  }

  /** Everything below `offset` has been taken. */
  taken(offset: number): void {
    this.#taken = Math.max(this.#taken, Math.min(offset, this.#sent));
    this.#wake?.();
  }

  /** Nobody reads any more: writes under way and to come say false. */
  stop(): void {
    if (this.isOpen) this.#finish("stopped");
  }

  /** Ends with the source, or at once when nobody reads any more. */
  async #pump(chunks: Chunks): Promise<void> {
    try {
      for (;;) {
        const next = await Promise.race([chunks.next(), this.#over.promise]);
        if (next === undefined || next.done === true || !(await this.write(next.value))) return;
      }
    } finally {
      // A source that is waiting itself must not be waited for.
      void Promise.resolve(chunks.return?.()).catch(() => undefined);
    }
  }

  #send(chunk: Uint8Array): number {
    this.#stream.send(encodeFrame(FRAME_KIND.dataIn, this.#stream.number, this.#sent, chunk));
    this.#sent += chunk.byteLength;
    return chunk.byteLength;
  }

  #finish(state: "ended" | "stopped"): void {
    this.#state = state;
    this.#wake?.();
    this.#over.resolve(undefined);
  }

  async #taking(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

type Chunk = string | Uint8Array;
type Chunks = Pick<AsyncIterator<Chunk, unknown>, "next" | "return">;

function chunksOf(source: ReadableStream<Chunk> | AsyncIterable<Chunk>): Chunks {
  if (!(source instanceof ReadableStream)) return source[Symbol.asyncIterator]();
  const reader = source.getReader();
  return {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? { done, value: undefined } : { done, value };
    },
    // Unlike the stream's own iterator, this ends a read that is waiting.
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}
