import { StringDecoder } from "node:string_decoder";

import type { Acknowledger } from "./acknowledger.ts";
import { inOrder } from "./in-order.ts";
import type { ChunkListener } from "./output-encoding.ts";

export interface OutputCollectorOptions {
  /** Bytes kept; the rest is dropped. */
  maxBytes: number;
  acknowledger: Acknowledger;
  /** Hears every piece, kept or not. */
  listener: ChunkListener | undefined;
}

/** Collects one channel of an exec up to a bound, and lets its program go on beyond it. */
export class OutputCollector {
  readonly #options: OutputCollectorOptions;
  readonly #chunks: Uint8Array[] = [];
  #received = 0;
  #kept = 0;

  constructor(options: OutputCollectorOptions) {
    this.#options = options;
  }

  /** Bytes received, kept or not. */
  get received(): number {
    return this.#received;
  }

  get truncated(): boolean {
    return this.#received > this.#kept;
  }

  /** Throws `PROTOCOL_ERROR` for a gap. */
  accept(offset: number, payload: Uint8Array): void {
    const bytes = inOrder(this.#received, offset, payload);
    if (bytes.byteLength === 0) return;
    this.#received += bytes.byteLength;
    const room = this.#options.maxBytes - this.#kept;
    if (room > 0) {
      const kept = bytes.byteLength <= room ? bytes : bytes.subarray(0, room);
      this.#chunks.push(kept);
      this.#kept += kept.byteLength;
    }
    this.#options.acknowledger.consumed(this.#received);
    this.#options.listener?.chunk(bytes);
  }

  /** Where the next sender goes on. */
  resume(): number {
    this.#options.acknowledger.resumed(this.#received);
    return this.#received;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#chunks, this.#kept);
  }

  /** As UTF-8; a character that the bound cut in two is left out. */
  text(): string {
    const bytes = Buffer.concat(this.#chunks, this.#kept);
    return this.truncated ? new StringDecoder("utf8").write(bytes) : bytes.toString("utf8");
  }
}
