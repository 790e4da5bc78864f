import { tooLarge } from "./peer-errors.ts";

/** Length of the header before a frame's payload; docs/vmd-link.md lays it out. */
export const FRAME_HEADER_BYTES = 17;

/** Largest payload of one frame. */
export const FRAME_MAX_PAYLOAD_BYTES = 1024 * 1024;

/** The frame kinds that travel between client, sidecar and VM unchanged but for the stream number. */
export const FRAME_KIND = {
  dataIn: 0x11,
  eofIn: 0x12,
  ack: 0x13,
  release: 0x15,
  fail: 0x82,
  end: 0x85,
  inAck: 0x91,
  out: 0x92,
  err: 0x93,
} as const;

/** The channel byte of `ack` and `end`. */
export const CHANNEL = { stdout: 1, stderr: 2 } as const;

export interface StreamFrame {
  kind: number;
  stream: number;
  offset: number;
  /** A view into the frame's own bytes. */
  payload: Uint8Array;
}

const TWO_TO_32 = 2 ** 32;
const EMPTY = new Uint8Array(0);

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * One frame in one buffer. Offsets are safe integers: 8 PiB of one stream is out of reach.
 * Throws `FRAME_TOO_LARGE` for a payload over the limit, and RangeError for another offset.
 */
export function encodeFrame(
  kind: number,
  stream: number,
  offset: number,
  payload: Uint8Array = EMPTY,
): Uint8Array {
  if (payload.byteLength > FRAME_MAX_PAYLOAD_BYTES)
    throw tooLarge("frame payload", FRAME_MAX_PAYLOAD_BYTES, payload.byteLength);
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.byteLength);
  writeFrameHeader(bytes, kind, stream, offset, payload.byteLength);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/** Writes a header at the start of `bytes`. */
export function writeFrameHeader(
  bytes: Uint8Array,
  kind: number,
  stream: number,
  offset: number,
  length: number,
): void {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new RangeError(`frame offset: expected a safe integer from 0, got ${offset}`);
  }
  const view = viewOf(bytes);
  view.setUint32(0, length, true);
  view.setUint8(4, kind);
  view.setUint32(5, stream, true);
  view.setUint32(9, offset % TWO_TO_32, true);
  view.setUint32(13, Math.floor(offset / TWO_TO_32), true);
}

/** Reads a whole frame, or undefined where the bytes are not exactly one. */
export function decodeFrame(bytes: Uint8Array): StreamFrame | undefined {
  if (bytes.byteLength < FRAME_HEADER_BYTES) return undefined;
  const view = viewOf(bytes);
  const length = view.getUint32(0, true);
  if (length > FRAME_MAX_PAYLOAD_BYTES || bytes.byteLength !== FRAME_HEADER_BYTES + length) {
    return undefined;
  }
  const offset = view.getUint32(13, true) * TWO_TO_32 + view.getUint32(9, true);
  if (!Number.isSafeInteger(offset)) return undefined;
  return {
    kind: view.getUint8(4),
    stream: view.getUint32(5, true),
    offset,
    payload: bytes.subarray(FRAME_HEADER_BYTES),
  };
}

/** The stream number of a frame whose header is whole. */
export function frameStream(bytes: Uint8Array): number {
  return viewOf(bytes).getUint32(5, true);
}

/** Puts another stream number into a frame, in place. */
export function setFrameStream(bytes: Uint8Array, stream: number): void {
  viewOf(bytes).setUint32(5, stream, true);
}

/** "Everything of this channel below `offset` has been received." */
export function encodeAck(stream: number, channel: number, offset: number): Uint8Array {
  return encodeFrame(FRAME_KIND.ack, stream, offset, Uint8Array.of(channel));
}
