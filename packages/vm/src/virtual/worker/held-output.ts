import type { Post } from "./post.ts";

const FRAME_PAYLOAD_BYTES = 64 * 1024;

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface HeldOutputOptions {
  readonly post: Post;
  readonly stream: number;
  /** `FRAME_KIND.out` or `err`. */
  readonly kind: number;
  readonly windowBytes: number;
}

/** One output channel: every byte is held here until it is acknowledged, and the writer waits for room. */
export class HeldOutput {
  readonly #options: HeldOutputOptions;
  /** What was written and not acknowledged, in order: at most one window. */
  #held: Piece[] = [];
  #total = 0;
  #acknowledged = 0;
  #isDropping = false;
  #room = Promise.withResolvers<void>();

  constructor(options: HeldOutputOptions) {
    this.#options = options;
  }

  /** Bytes written so far. */
  get total(): number {
    return this.#total;
  }

  /** Resolves once all of it is in the window. */
  async write(bytes: Uint8Array): Promise<void> {
    let left = bytes;
    while (left.byteLength > 0 && !this.#isDropping) {
      const room = this.#options.windowBytes - (this.#total - this.#acknowledged);
      if (room <= 0) {
        await this.#room.promise;
        continue;
      }
      const part = left.subarray(0, Math.min(room, FRAME_PAYLOAD_BYTES));
      left = left.subarray(part.byteLength);
      const piece = { offset: this.#total, bytes: part.slice() };
      this.#held.push(piece);
      this.#total += part.byteLength;
      this.#send(piece);
    }
  }

  acknowledge(offset: number): void {
    if (offset <= this.#acknowledged || offset > this.#total) return;
    this.#acknowledged = offset;
    const first = this.#held.findIndex((piece) => piece.offset + piece.bytes.byteLength > offset);
    this.#held = first < 0 ? [] : this.#held.slice(first);
    this.#wakeWriter();
  }

  /** Whether a reader who has `offset` bytes can go on from there. */
  canResume(offset: number): boolean {
    return offset >= this.#acknowledged && offset <= this.#total;
  }

  /** Sends everything from `offset` again. */
  resume(offset: number): void {
    this.acknowledge(offset);
    for (const piece of this.#held) {
      const skipped = Math.max(0, offset - piece.offset);
      this.#send({ offset: piece.offset + skipped, bytes: piece.bytes.subarray(skipped) });
    }
  }

  /** From now on nothing is taken: what waits for room is lost. */
  stop(): void {
    this.#isDropping = true;
    this.#wakeWriter();
  }

  /** Nobody reads it any more. */
  forget(): void {
    this.stop();
    this.#held = [];
  }

  #send({ offset, bytes }: Piece): void {
    const { post, stream, kind } = this.#options;
    post.frame(stream, kind, offset, bytes);
  }

  #wakeWriter(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers<void>();
  }
}
