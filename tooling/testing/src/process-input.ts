import { FRAME_KIND } from "@agentos/protocol";

import type { FakeStream } from "./fake-stream.ts";

const EINVAL = 22;
const ERANGE = 34;

/** A process's stdin: bytes are acknowledged when the program takes them. */
export class ProcessInput implements AsyncIterable<Uint8Array> {
  readonly #stream: FakeStream;
  readonly #windowBytes: number;
  readonly #isPipe: boolean;
  readonly #waiting: Uint8Array[] = [];
  #received = 0;
  #taken = 0;
  #atEnd: boolean;
  #programGone = false;
  #change = Promise.withResolvers<void>();

  constructor(stream: FakeStream, windowBytes: number, mode: "none" | "pipe") {
    this.#stream = stream;
    this.#windowBytes = windowBytes;
    this.#isPipe = mode === "pipe";
    this.#atEnd = mode === "none";
  }

  /** Bytes below what was received are cut; a gap, or more than the window, fails with ERANGE. */
  receive(offset: number, bytes: Uint8Array): void {
    if (!this.#isPipe) return this.#stream.fail(EINVAL, "stdin");
    const end = offset + bytes.byteLength;
    if (end <= this.#received) return;
    const isTooMuch = end > this.#taken + this.#windowBytes;
    if (offset > this.#received || this.#atEnd || isTooMuch) {
      return this.#stream.fail(ERANGE, "stdin");
    }
    const fresh = bytes.slice(this.#received - offset);
    this.#received = end;
    if (this.#programGone) return this.#acknowledge(fresh.byteLength);
    this.#waiting.push(fresh);
    this.#notify();
  }

  /** No byte follows the first `total`. */
  receiveEnd(total: number): void {
    if (!this.#isPipe) return this.#stream.fail(EINVAL, "stdin");
    if (total !== this.#received) return this.#stream.fail(ERANGE, "stdin");
    this.#atEnd = true;
    this.#notify();
  }

  /** Tells another writer how much was taken. */
  resume(): void {
    if (this.#isPipe) this.#stream.emit(FRAME_KIND.inAck, this.#taken);
  }

  /** What waits, and what still comes, is dropped and acknowledged. */
  abandon(): void {
    this.#programGone = true;
    this.#waiting.length = 0;
    if (this.#taken < this.#received) this.#acknowledge(this.#received - this.#taken);
    this.#notify();
  }

  get received(): number {
    return this.#received;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#acknowledge(next.byteLength);
        yield next;
      } else if (this.#atEnd || this.#programGone) {
        return;
      } else {
        await this.#change.promise;
      }
    }
  }

  #acknowledge(bytes: number): void {
    this.#taken += bytes;
    this.#stream.emit(FRAME_KIND.inAck, this.#taken);
  }

  #notify(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}
