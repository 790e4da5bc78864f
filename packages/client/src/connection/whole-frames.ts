import { YoungSpace } from "./young-space.ts";

/** Payloads from here on get memory of their own; smaller ones travel together. */
const LARGE_BYTES = 4_096;
/** A frame's first two bytes, a length of eight, and a mask's four. */
const HEADER_MAX_BYTES = 14;

/**
 * Cuts the bytes of a WebSocket so that each large payload is one chunk, in memory of exactly its size, and all else is
 * copied in small chunks: the memory that was read into can be used again at once, and a parser that takes whole chunks as
 * they are copies nothing more.
 *
 * It only looks for where frames begin (RFC 6455, section 5.2). Every byte is passed on, in order; what is wrong with them
 * is the parser's to say.
 */
export class WholeFrames {
  readonly #emit: (chunk: Buffer) => void;
  readonly #largestBytes: number;
  readonly #header = Buffer.alloc(HEADER_MAX_BYTES);
  #headerBytes = 0;
  #small = 0;
  #large: Buffer | undefined;
  #largeBytes = 0;
  readonly #youngSpace = new YoungSpace();

  /** A payload of more than `largestBytes` is passed on as it comes: the parser refuses it. */
  constructor(emit: (chunk: Buffer) => void, largestBytes: number) {
    this.#emit = emit;
    this.#largestBytes = largestBytes;
  }

  /** Takes what was read; keeps no reference to it. */
  push(bytes: Buffer): void {
    let from = 0;
    let at = 0;
    while (at < bytes.byteLength) {
      if (this.#large !== undefined) {
        at += this.#fill(this.#large, bytes, at);
        from = at;
      } else if (this.#small > 0) {
        const step = Math.min(this.#small, bytes.byteLength - at);
        this.#small -= step;
        at += step;
      } else {
        at += this.#readHeader(bytes, at);
        if (this.#large !== undefined) this.#copy(bytes, from, at);
      }
    }
    if (this.#large === undefined) this.#copy(bytes, from, at);
  }

  #copy(bytes: Buffer, from: number, to: number): void {
    if (to > from) this.#emit(Buffer.from(bytes.subarray(from, to)));
  }

  #fill(large: Buffer, bytes: Buffer, at: number): number {
    const copied = bytes.copy(large, this.#largeBytes, at);
    this.#largeBytes += copied;
    if (this.#largeBytes === large.byteLength) {
      this.#large = undefined;
      this.#emit(large);
    }
    return copied;
  }

  /** @returns how many of the bytes belong to the header. */
  #readHeader(bytes: Buffer, at: number): number {
    let taken = 0;
    while (at + taken < bytes.byteLength) {
      this.#header[this.#headerBytes++] = bytes[at + taken++] ?? 0;
      if (this.#headerBytes === headerLength(this.#header, this.#headerBytes)) {
        this.#headerBytes = 0;
        this.#begin(payloadLength(this.#header));
        break;
      }
    }
    return taken;
  }

  #begin(length: number): void {
    if (length < LARGE_BYTES || length > this.#largestBytes) {
      this.#small = length;
      return;
    }
    this.#large = Buffer.allocUnsafeSlow(length);
    this.#largeBytes = 0;
    this.#youngSpace.fill(length);
  }
}

/** The header's length, once its second byte is here. */
function headerLength(header: Buffer, known: number): number {
  if (known < 2) return HEADER_MAX_BYTES;
  const second = header[1] ?? 0;
  const mask = second >= 0x80 ? 4 : 0;
  const code = second & 0x7f;
  if (code === 126) return 4 + mask;
  return code === 127 ? 10 + mask : 2 + mask;
}

function payloadLength(header: Buffer): number {
  const code = (header[1] ?? 0) & 0x7f;
  if (code === 126) return header.readUInt16BE(2);
  return code === 127 ? Number(header.readBigUInt64BE(2)) : code;
}
