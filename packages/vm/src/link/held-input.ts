import { FRAME_HEADER_BYTES } from "@agentos/protocol";

/** Frames for a process's stdin that wait until the VM has said how much of it was taken. */
export class HeldInput {
  readonly #maxBytes: number;
  #frames: Uint8Array[] = [];
  #bytes = 0;

  /** `maxBytes`: of payload; a writer may send no more without an acknowledgement. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** False: more than a writer may send. */
  hold(frame: Uint8Array): boolean {
    this.#bytes += frame.byteLength - FRAME_HEADER_BYTES;
    if (this.#bytes > this.#maxBytes) return false;
    this.#frames.push(frame);
    return true;
  }

  /** In the order in which they came; nothing is held any more. */
  release(): Uint8Array[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    return frames;
  }
}
