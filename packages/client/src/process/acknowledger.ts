import { DEFAULTS, encodeAck } from "@agentos/protocol";

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
    this.#stream.send(encodeAck(this.#stream.number, this.#channel, offset));
  }
}
