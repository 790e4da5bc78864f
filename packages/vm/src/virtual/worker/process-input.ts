import { FRAME_KIND } from "@agentos/protocol";

import type { Post } from "./post.ts";

/** What a script is given as stdin is one string. */
export const MOST_STDIN_BYTES = 32 * 1024 * 1024;
const ERRNO = { EINVAL: 22, ERANGE: 34 };

export interface ProcessInputOptions {
  readonly post: Post;
  readonly stream: number;
  readonly mode: "none" | "pipe";
}

/** A process's stdin, collected: the interpreter takes it whole, so a script begins when its stdin has ended. */
export class ProcessInput {
  /** Resolves with all of it; `undefined` where it is too much, or the process ended first. */
  readonly whole: Promise<Uint8Array | undefined>;
  readonly #options: ProcessInputOptions;
  readonly #whole = Promise.withResolvers<Uint8Array | undefined>();
  #parts: Uint8Array[] = [];
  #received = 0;
  #state: "open" | "over" = "open";

  constructor(options: ProcessInputOptions) {
    this.#options = options;
    this.whole = this.#whole.promise;
    if (options.mode === "none") this.#end(new Uint8Array(0));
  }

  receive(offset: number, bytes: Uint8Array): void {
    if (this.#options.mode === "none") return this.#fail(ERRNO.EINVAL);
    const fresh = bytes.subarray(Math.max(0, this.#received - offset));
    if (offset > this.#received) return this.#fail(ERRNO.ERANGE);
    this.#received += fresh.byteLength;
    if (this.#state === "open") this.#parts.push(fresh);
    this.acknowledge();
    if (this.#received > MOST_STDIN_BYTES) this.#end(undefined);
  }

  receiveEnd(total: number): void {
    if (this.#options.mode === "none") return this.#fail(ERRNO.EINVAL);
    if (total !== this.#received) return this.#fail(ERRNO.ERANGE);
    this.#end(Buffer.concat(this.#parts));
  }

  /** Tells what was taken; once more to a reader that comes back. */
  acknowledge(): void {
    const { post, stream, mode } = this.#options;
    if (mode === "pipe") post.frame(stream, FRAME_KIND.inAck, this.#received);
  }

  /** The process ended: what still comes is dropped. */
  abandon(): void {
    this.#end(undefined);
  }

  #end(bytes: Uint8Array | undefined): void {
    this.#state = "over";
    this.#parts = [];
    this.#whole.resolve(bytes);
  }

  #fail(errno: number): void {
    const { post, stream } = this.#options;
    const payload = Buffer.alloc(4 + "stdin".length);
    payload.writeUInt32LE(errno);
    payload.write("stdin", 4, "latin1");
    post.frame(stream, FRAME_KIND.fail, 0, payload);
  }
}
