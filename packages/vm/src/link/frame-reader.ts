import { FRAME_HEADER_BYTES, writeFrameHeader } from "@agentos/protocol";

import type { KindRules } from "./link-kinds.ts";
import { violation } from "./violation.ts";

/** One frame, header included, or one piece of a data frame as a frame of its own. */
export type OnFrame = (kind: number, stream: number, offset: number, frame: Uint8Array) => void;

interface Header {
  kind: number;
  stream: number;
  offset: number;
  length: number;
}

/**
 * Cuts the chunks of a socket into frames. Control frames are assembled; data frames are never: each
 * piece goes on at once with a header of its own. What lies in one chunk is passed as a view of it.
 */
export class FrameReader {
  readonly #rules: KindRules;
  readonly #onFrame: OnFrame;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  /** A control frame that is being assembled. */
  #whole: { header: Header; frame: Uint8Array; filled: number } | undefined;
  /** What is missing of a data frame. */
  #rest: Header | undefined;

  constructor(rules: KindRules, onFrame: OnFrame) {
    this.#rules = rules;
    this.#onFrame = onFrame;
  }

  /** Takes the next chunk, which belongs to the reader from now on. Throws `PROTOCOL_ERROR`. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#rest !== undefined) at = this.#continueData(chunk, at, this.#rest);
      else if (this.#whole !== undefined) at = this.#continueWhole(chunk, at, this.#whole);
      else at = this.#begin(chunk, at);
    }
  }

  #begin(chunk: Uint8Array, at: number): number {
    if (this.#headerBytes === 0 && chunk.byteLength - at >= FRAME_HEADER_BYTES) {
      return this.#beginInPlace(chunk, at);
    }
    const taken = Math.min(FRAME_HEADER_BYTES - this.#headerBytes, chunk.byteLength - at);
    this.#header.set(chunk.subarray(at, at + taken), this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes < FRAME_HEADER_BYTES) return at + taken;
    this.#headerBytes = 0;
    const header = this.#parse(this.#header);
    if (this.#isPiecewise(header) && header.length > 0) this.#rest = header;
    else this.#assemble(header, this.#header);
    return at + taken;
  }

  /** The header lies whole in the chunk. */
  #beginInPlace(chunk: Uint8Array, at: number): number {
    const bytes = chunk.subarray(at, at + FRAME_HEADER_BYTES);
    const header = this.#parse(bytes);
    const there = chunk.byteLength - at - FRAME_HEADER_BYTES;
    if (there >= header.length) {
      const end = at + FRAME_HEADER_BYTES + header.length;
      this.#emit(header, chunk.subarray(at, end));
      return end;
    }
    if (!this.#isPiecewise(header)) {
      this.#assemble(header, bytes);
      return at + FRAME_HEADER_BYTES;
    }
    this.#rest = rest(header, there);
    if (there === 0) return chunk.byteLength;
    writeFrameHeader(bytes, header.kind, header.stream, header.offset, there);
    this.#emit({ ...header, length: there }, chunk.subarray(at));
    return chunk.byteLength;
  }

  #continueData(chunk: Uint8Array, at: number, header: Header): number {
    const taken = Math.min(header.length, chunk.byteLength - at);
    const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + taken);
    writeFrameHeader(frame, header.kind, header.stream, header.offset, taken);
    frame.set(chunk.subarray(at, at + taken), FRAME_HEADER_BYTES);
    this.#rest = taken === header.length ? undefined : rest(header, taken);
    this.#emit({ ...header, length: taken }, frame);
    return at + taken;
  }

  #assemble(header: Header, bytes: Uint8Array): void {
    const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + header.length);
    frame.set(bytes);
    if (header.length === 0) this.#emit(header, frame);
    else this.#whole = { header, frame, filled: FRAME_HEADER_BYTES };
  }

  #continueWhole(
    chunk: Uint8Array,
    at: number,
    whole: { header: Header; frame: Uint8Array; filled: number },
  ): number {
    const taken = Math.min(whole.frame.byteLength - whole.filled, chunk.byteLength - at);
    whole.frame.set(chunk.subarray(at, at + taken), whole.filled);
    whole.filled += taken;
    if (whole.filled === whole.frame.byteLength) {
      this.#whole = undefined;
      this.#emit(whole.header, whole.frame);
    }
    return at + taken;
  }

  #parse(bytes: Uint8Array): Header {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = view.getUint32(0, true);
    const kind = view.getUint8(4);
    const rule = this.#rules.get(kind);
    if (rule === undefined) throw violation(`unexpected frame kind 0x${kind.toString(16)}`);
    if (length > rule.maxPayloadBytes) {
      throw violation(
        `expected at most ${rule.maxPayloadBytes} bytes in a frame of kind 0x${kind.toString(16)}, got ${length}`,
      );
    }
    const offset = view.getBigUint64(9, true);
    if (offset > BigInt(Number.MAX_SAFE_INTEGER - length))
      throw violation("an offset out of range");
    return { kind, stream: view.getUint32(5, true), offset: Number(offset), length };
  }

  #isPiecewise(header: Header): boolean {
    return this.#rules.get(header.kind)?.piecewise === true;
  }

  #emit(header: Header, frame: Uint8Array): void {
    this.#onFrame(header.kind, header.stream, header.offset, frame);
  }
}

function rest(header: Header, taken: number): Header {
  return { ...header, offset: header.offset + taken, length: header.length - taken };
}
