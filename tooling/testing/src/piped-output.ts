import type { FakeStream } from "./fake-stream.ts";

/** What a pipe holds besides the window. */
export const PIPE_BYTES = 64 * 1024;
const ERANGE = 34;
const FRAME_PAYLOAD_BYTES = 64 * 1024;

export interface PipedOutputOptions {
  readonly stream: FakeStream;
  /** `FRAME_KIND.out` or `err`. */
  readonly kind: number;
  readonly channel: number;
  readonly windowBytes: number;
}

/** One output channel of a piped process or file: held until acknowledged, and the writer waits for room. */
export class PipedOutput {
  readonly #options: PipedOutputOptions;
  /** From the first byte that is not acknowledged. */
  #held = Buffer.alloc(0);
  #sent = 0;
  #acked = 0;
  #total = 0;
  #ending = false;
  #endSent = false;
  #dropping = false;
  #room = Promise.withResolvers<void>();

  constructor(options: PipedOutputOptions) {
    this.#options = options;
  }

  /** Bytes written so far. */
  get acknowledged(): number {
    return this.#acked;
  }

  get total(): number {
    return this.#total;
  }

  /** Resolves once every byte is in the window or in the pipe behind it. */
  async write(bytes: Uint8Array): Promise<void> {
    let left = bytes;
    while (left.byteLength > 0 && !this.#dropping) {
      const room = this.#options.windowBytes + PIPE_BYTES - (this.#total - this.#acked);
      if (room <= 0) {
        await this.#room.promise;
        continue;
      }
      const part = left.subarray(0, room);
      left = left.subarray(part.byteLength);
      this.#held = Buffer.concat([this.#held, part]);
      this.#total += part.byteLength;
      this.#pump();
    }
    this.#total += left.byteLength;
  }

  ack(offset: number): void {
    if (offset > this.#sent) return this.#options.stream.fail(ERANGE, "ack");
    this.#forget(offset);
    this.#pump();
    this.#wakeWriter();
  }

  /** Whether a reader who has `offset` bytes can go on from there. */
  canResume(offset: number): boolean {
    return offset >= this.#acked && offset <= this.#total;
  }

  /** Everything from `offset` is sent, the end too, as if nothing of it had been. */
  resume(offset: number): void {
    this.#forget(offset);
    this.#sent = offset;
    this.#endSent = false;
    this.#pump();
    this.#wakeWriter();
  }

  /** The last writer is gone: END follows the last byte. */
  end(): void {
    this.#ending = true;
    this.#pump();
  }

  /** From now on what is written is dropped. */
  drop(): void {
    this.#dropping = true;
    this.#held = Buffer.alloc(0);
    this.#wakeWriter();
  }

  #pump(): void {
    const { stream, kind, channel, windowBytes } = this.#options;
    for (;;) {
      const start = this.#sent - this.#acked;
      const credit = Math.min(windowBytes - start, FRAME_PAYLOAD_BYTES);
      if (start >= this.#held.byteLength) break;
      if (credit <= 0) return;
      const part = this.#held.subarray(start, start + credit);
      stream.emit(kind, this.#sent, part);
      this.#sent += part.byteLength;
    }
    if (!this.#ending || this.#endSent) return;
    this.#endSent = true;
    stream.end(channel, this.#sent);
  }

  #forget(offset: number): void {
    if (offset <= this.#acked) return;
    this.#held = this.#held.subarray(offset - this.#acked);
    this.#acked = offset;
  }

  #wakeWriter(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers<void>();
  }
}
