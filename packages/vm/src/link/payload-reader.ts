import { FRAME_HEADER_BYTES } from "@agentos/protocol";

import { violation } from "./violation.ts";

/** Reads the numbers and bytes of a payload one after the other. Throws `PROTOCOL_ERROR` past its end. */
export class PayloadReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(payload: Uint8Array) {
    this.#bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  }

  /** Over the payload of a whole frame. */
  static ofFrame(frame: Uint8Array): PayloadReader {
    return new PayloadReader(frame.subarray(FRAME_HEADER_BYTES));
  }

  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  bigU64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  /** Refuses what is no safe integer. */
  u64(): number {
    const value = this.bigU64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw violation("a number out of range");
    return Number(value);
  }

  bytes(length: number): Buffer {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Throws unless everything was read. */
  finish(): void {
    if (this.left > 0) throw violation(`${this.left} bytes too many`);
  }

  #take(length: number): number {
    if (length > this.left) throw violation("a payload is cut");
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
