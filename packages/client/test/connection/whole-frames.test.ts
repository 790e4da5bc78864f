import { Buffer } from "node:buffer";

import { describe, expect, it } from "vitest";

import { WholeFrames } from "../../src/connection/whole-frames.ts";

const LARGEST = 300_000;

interface FrameOptions {
  mask?: boolean;
  opcode?: number;
}

/** A frame as RFC 6455 draws it, its mask of zeros. */
function frame(payload: Buffer, { mask = false, opcode = 2 }: FrameOptions = {}): Buffer {
  const { byteLength } = payload;
  const code = byteLength < 126 ? byteLength : byteLength < 65_536 ? 126 : 127;
  const header = Buffer.alloc(10);
  header[0] = 0x80 | opcode;
  header[1] = (mask ? 0x80 : 0) | code;
  if (code === 126) header.writeUInt16BE(byteLength, 2);
  if (code === 127) header.writeBigUInt64BE(BigInt(byteLength), 2);
  const headerBytes = code < 126 ? 2 : code === 126 ? 4 : 10;
  return Buffer.concat([header.subarray(0, headerBytes), Buffer.alloc(mask ? 4 : 0), payload]);
}

function payloadOf(bytes: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + seed) % 251));
}

/** Pushes `bytes` in pieces, each from the same memory, which is spoiled after each. */
function pushed(bytes: Buffer, pieceBytes: (at: number) => number): Buffer[] {
  const chunks: Buffer[] = [];
  const frames = new WholeFrames((chunk) => void chunks.push(chunk), LARGEST);
  const memory = Buffer.alloc(bytes.byteLength);
  for (let at = 0; at < bytes.byteLength;) {
    const piece = bytes.subarray(at, at + pieceBytes(at));
    memory.set(piece);
    frames.push(memory.subarray(0, piece.byteLength));
    memory.fill(0xee, 0, piece.byteLength);
    at += piece.byteLength;
  }
  return chunks;
}

const SIZES = [0, 1, 125, 126, 4_095, 4_096, 40_000, 65_535, 65_536, 0, 200_000, 7];
const frames = SIZES.map((size, index) =>
  frame(payloadOf(size, index), { opcode: index % 3 === 0 ? 1 : 2, mask: index % 4 === 1 }),
);
const stream = Buffer.concat(frames);

describe("whole frames", () => {
  it.each([1, 2, 3, 13, 4_096, 65_537, stream.byteLength])(
    "pass every byte on, in order, when %i bytes are read at a time",
    (step) => {
      expect(Buffer.concat(pushed(stream, () => step)).equals(stream)).toBe(true);
    },
  );

  it("give each large payload as one chunk of its size", () => {
    const chunks = pushed(stream, (at) => 1 + ((at * 7_919) % 90_000));
    const large = SIZES.filter((size) => size >= 4_096);
    const whole = chunks.filter((chunk) => large.includes(chunk.byteLength));
    expect(whole.map((chunk) => chunk.byteLength)).toEqual(large);
    expect(whole.every((chunk) => chunk.buffer.byteLength === chunk.byteLength)).toBe(true);
  });

  it("give small frames of one read together", () => {
    const small = Buffer.concat([frame(payloadOf(10, 1)), frame(payloadOf(20, 2))]);
    expect(pushed(small, () => small.byteLength)).toEqual([small]);
  });

  it("hold nothing back of a frame that is larger than what is taken", () => {
    const tooLarge = frame(payloadOf(LARGEST + 1, 3)).subarray(0, 50);
    expect(Buffer.concat(pushed(tooLarge, () => 50)).equals(tooLarge)).toBe(true);
  });
});
