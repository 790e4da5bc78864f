import { DEFAULTS, FRAME_KIND } from "@agentos/protocol";

import type { VmStream } from "../leases/vm-stream.ts";

/** Gives the sender of one channel its credit back, half a window at a time: small outputs cost no message. */
export class Acknowledger {
  readonly #stream: VmStream;
  readonly #channel: number;
  readonly #stepBytes: number;
  #acknowledged = 0;

  constructor(stream: VmStream, channel: number, windowBytes: number = DEFAULTS.streamWindowBytes) {
    this.#stream = stream;
    this.#channel = channel;
    this.#stepBytes = windowBytes / 2;
  }

  /** Everything below `offset` has been consumed. */
  consumed(offset: number): void {
    if (offset - this.#acknowledged < this.#stepBytes) return;
    this.#acknowledged = offset;
    this.#send(offset);
  }

  /** The sender goes on from `offset`, and takes what is below it for acknowledged. */
  resumed(offset: number): void {
    this.#acknowledged = offset;
  }

  /** Everything came: what the sender holds can go. */
  finished(total: number): void {
    this.#send(total);
  }

  #send(offset: number): void {
    this.#stream.send(FRAME_KIND.ack, offset, Uint8Array.of(this.#channel));
  }
}
