import * as fc from "fast-check";
import { expect, test } from "vitest";

import {
  CHANNEL,
  decodeFrame,
  encodeAck,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  FRAME_MAX_PAYLOAD_BYTES,
  frameStream,
  setFrameStream,
} from "../src/stream-frame.ts";

const Kind = fc.integer({ min: 0, max: 255 });
const Stream = fc.integer({ min: 0, max: 0xffff_ffff });
const Offset = fc.maxSafeNat();
const Payload = fc.uint8Array({ maxLength: 2_000 });

test("a frame decodes to what was encoded", () => {
  fc.assert(
    fc.property(Kind, Stream, Offset, Payload, (kind, stream, offset, payload) => {
      const frame = decodeFrame(encodeFrame(kind, stream, offset, payload));
      expect(frame).toMatchObject({ kind, stream, offset });
      expect(Buffer.from(frame?.payload ?? []).equals(payload)).toBe(true);
    }),
  );
});

test("a frame in the middle of a larger buffer decodes all the same", () => {
  fc.assert(
    fc.property(Stream, Offset, Payload, fc.nat(40), (stream, offset, payload, shift) => {
      const frame = encodeFrame(FRAME_KIND.out, stream, offset, payload);
      const large = new Uint8Array(shift + frame.byteLength + 9).fill(0xff);
      large.set(frame, shift);
      const view = large.subarray(shift, shift + frame.byteLength);
      expect(decodeFrame(view)).toMatchObject({ stream, offset });
    }),
  );
});

test("another stream number changes nothing else", () => {
  fc.assert(
    fc.property(Kind, Stream, Stream, Offset, Payload, (kind, from, to, offset, payload) => {
      const bytes = encodeFrame(kind, from, offset, payload);
      setFrameStream(bytes, to);
      expect(frameStream(bytes)).toBe(to);
      expect(Buffer.from(bytes).equals(encodeFrame(kind, to, offset, payload))).toBe(true);
    }),
  );
});

test("the header is laid out as docs/vmd-link.md says", () => {
  const bytes = encodeFrame(0x92, 0x01020304, 0x05_0607_0809, Uint8Array.of(0xaa));
  expect(Buffer.from(bytes).toString("hex")).toBe(
    ["01000000", "92", "04030201", "0908070605000000", "aa"].join(""),
  );
});

test("any other bytes decode to nothing and never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame === undefined) return;
      expect(frame.payload.byteLength).toBe(bytes.byteLength - FRAME_HEADER_BYTES);
    }),
  );
});

test("a cut frame, one byte more, or an unsafe offset is no frame", () => {
  const bytes = encodeFrame(FRAME_KIND.out, 1, 0, Uint8Array.of(1, 2, 3));
  for (let length = 0; length < bytes.byteLength; length++) {
    expect(decodeFrame(bytes.subarray(0, length))).toBeUndefined();
  }
  expect(decodeFrame(Buffer.concat([bytes, Uint8Array.of(0)]))).toBeUndefined();
  bytes.fill(0xff, 9, 17);
  expect(decodeFrame(bytes)).toBeUndefined();
});

test("the largest payload fits, one byte more is refused", () => {
  const largest = new Uint8Array(FRAME_MAX_PAYLOAD_BYTES);
  expect(decodeFrame(encodeFrame(1, 1, 0, largest))?.payload.byteLength).toBe(largest.byteLength);
  expect(() => encodeFrame(1, 1, 0, new Uint8Array(FRAME_MAX_PAYLOAD_BYTES + 1))).toThrow(
    expect.objectContaining({ code: "FRAME_TOO_LARGE" }),
  );
});

test.each([-1, 0.5, Number.NaN, 2 ** 53])("the offset %d is refused", (offset) => {
  expect(() => encodeFrame(1, 1, offset)).toThrow(RangeError);
});

test("an acknowledgement names channel and offset", () => {
  const frame = decodeFrame(encodeAck(7, CHANNEL.stderr, 99));
  expect(frame).toMatchObject({ kind: FRAME_KIND.ack, stream: 7, offset: 99 });
  expect(frame?.payload[0]).toBe(CHANNEL.stderr);
});
