import { DEFAULTS, FRAME_KIND } from "@agentos/protocol";

import type { VmStream } from "../leases/vm-stream.ts";

const CHUNK_BYTES = 64 * 1024;

/** What can be fed to a process or a file. */
export type InputSource =
  | string
  | Uint8Array
  | ReadableStream<Uint8Array | string>
  | AsyncIterable<Uint8Array | string>;

/** Sent, and not yet known to have been taken. */
interface Sent {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Sends bytes into a stream, never more than its window ahead of what was taken; that much is kept, to be sent again over another connection. */
export class InputStream {
  readonly #stream: VmStream;
  readonly #windowBytes: number;
  readonly #untaken: Sent[] = [];
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

  /** Bytes sent, taken or not. */
  get sentBytes(): number {
    return this.#sent;
  }

  /** Bytes known to have been taken. */
  get takenBytes(): number {
    return this.#taken;
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
    this.#stream.send(FRAME_KIND.eofIn, this.#sent);
    this.#finish("ended");
  }

  /** The stream goes on over another connection: sends again what may not have come. */
  resend(): void {
    if (this.#state === "stopped") return;
    for (const { offset, bytes } of this.#untaken) {
      const known = Math.max(0, this.#taken - offset);
      this.#stream.send(FRAME_KIND.dataIn, offset + known, bytes.subarray(known));
    }
    if (this.#state === "ended") this.#stream.send(FRAME_KIND.eofIn, this.#sent);
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
    const untaken = this.#untaken.findIndex(
      (sent) => sent.offset + sent.bytes.byteLength > this.#taken,
    );
    this.#untaken.splice(0, untaken === -1 ? this.#untaken.length : untaken);
    this.#wake?.();
  }

  /** Nobody reads any more: writes under way and to come say false. */
  stop(): void {
    this.#untaken.length = 0;
    if (this.#state !== "stopped") this.#finish("stopped");
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
    // A copy: the caller may use its own again.
    const bytes = new Uint8Array(chunk);
    this.#untaken.push({ offset: this.#sent, bytes });
    this.#stream.send(FRAME_KIND.dataIn, this.#sent, bytes);
    this.#sent += bytes.byteLength;
    return bytes.byteLength;
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
