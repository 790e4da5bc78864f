import {
  decodeFrame,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_MAX_PAYLOAD_BYTES,
  isAgentOsError,
  writeFrameHeader,
} from "@agentos/protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { FrameReader } from "../src/link/frame-reader.ts";
import { LINK_KIND, VM_KINDS } from "../src/link/link-kinds.ts";

interface Sent {
  kind: number;
  stream: number;
  payload: Uint8Array;
}

const frames = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom(LINK_KIND.out, LINK_KIND.err),
      stream: fc.integer({ min: 1, max: 3 }),
      payload: fc.uint8Array({ maxLength: 200 }),
    }),
    fc.record({
      kind: fc.constant(LINK_KIND.fail),
      stream: fc.integer({ min: 0, max: 3 }),
      payload: fc.uint8Array({ maxLength: 60 }),
    }),
  ),
  { maxLength: 30 },
);

test("however a stream is cut, data keep their order and offsets and control frames stay whole", () => {
  fc.assert(
    fc.property(
      frames,
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
      (sent, cuts) => {
        const streams = new Map<string, number>();
        const bytes = Buffer.concat(
          sent.map(({ kind, stream, payload }) => {
            const key = `${kind}/${stream}`;
            const offset = kind === LINK_KIND.fail ? 0 : (streams.get(key) ?? 0);
            streams.set(key, offset + payload.byteLength);
            return encodeFrame(kind, stream, offset, payload);
          }),
        );
        expect(collect(bytes, cuts)).toEqual(summary(sent));
      },
    ),
  );
});

test("a data frame that lies in one chunk is passed on without a copy", () => {
  const chunk = Buffer.from(encodeFrame(LINK_KIND.out, 7, 100, Buffer.from("hello")));
  const passed: Uint8Array[] = [];
  new FrameReader(VM_KINDS, (_kind, _stream, _offset, frame) => passed.push(frame)).push(chunk);
  expect(passed[0]?.buffer).toBe(chunk.buffer);
  expect(passed[0]?.byteOffset).toBe(chunk.byteOffset);
});

test("the first piece of a long frame goes on before the rest is there", () => {
  const passed: number[] = [];
  const reader = new FrameReader(VM_KINDS, (_kind, _stream, offset, frame) => {
    passed.push(offset, frame.byteLength - FRAME_HEADER_BYTES);
  });
  const frame = encodeFrame(LINK_KIND.out, 1, 1000, Buffer.alloc(100));
  reader.push(Buffer.from(frame.subarray(0, FRAME_HEADER_BYTES + 40)));
  expect(passed).toEqual([1000, 40]);
  reader.push(Buffer.from(frame.subarray(FRAME_HEADER_BYTES + 40)));
  expect(passed).toEqual([1000, 40, 1040, 60]);
});

test("what a VM may not send is refused at its header", () => {
  expect(pushing(header(0x77, 0))).toThrow("unexpected frame kind 0x77");
  expect(pushing(header(LINK_KIND.exec, 0))).toThrow("unexpected frame kind 0x10");
  expect(pushing(header(LINK_KIND.out, FRAME_MAX_PAYLOAD_BYTES + 1))).toThrow(
    "at most 1048576 bytes",
  );
  expect(pushing(header(LINK_KIND.exit, 32))).toThrow("at most 31 bytes");
  expect(pushing(header(LINK_KIND.out, 1, Number.MAX_SAFE_INTEGER))).toThrow("offset out of range");
});

test("no bytes make the reader throw anything but a protocol error", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (chunks) => {
      expect(["read", "PROTOCOL_ERROR"]).toContain(outcome(chunks));
    }),
  );
});

/** A frame's header alone. */
function header(kind: number, length: number, offset = 0): Uint8Array {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
  writeFrameHeader(bytes, kind, 1, offset, length);
  return bytes;
}

function pushing(bytes: Uint8Array): () => void {
  return () => new FrameReader(VM_KINDS, () => {}).push(bytes);
}

function outcome(chunks: readonly Uint8Array[]): unknown {
  const reader = new FrameReader(VM_KINDS, () => {});
  try {
    for (const chunk of chunks) reader.push(chunk);
    return "read";
  } catch (error) {
    return isAgentOsError(error) ? error.code : error;
  }
}

/** What arrives per stream and kind, in the order of the first byte: data joined, control apart. */
function collect(bytes: Uint8Array, cuts: readonly number[]): Record<string, string[]> {
  const arrived: Record<string, string[]> = {};
  const offsets = new Map<string, number>();
  const reader = new FrameReader(VM_KINDS, (kind, stream, offset, frame) => {
    const parsed = decodeFrame(frame);
    expect(parsed).toMatchObject({ kind, stream, offset });
    const key = `${kind}/${stream}`;
    const text = Buffer.from(parsed?.payload ?? []).toString("hex");
    // A control frame's offset is 0, and none is counted.
    expect(offset).toBe(offsets.get(key) ?? 0);
    if (kind !== LINK_KIND.fail) offsets.set(key, offset + text.length / 2);
    add(arrived, key, text, kind === LINK_KIND.fail);
  });
  for (let at = 0, turn = 0; at < bytes.byteLength; turn++) {
    const length = cuts[turn % cuts.length] ?? 1;
    reader.push(Uint8Array.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return arrived;
}

function summary(sent: readonly Sent[]): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const { kind, stream, payload } of sent) {
    add(all, `${kind}/${stream}`, Buffer.from(payload).toString("hex"), kind === LINK_KIND.fail);
  }
  return all;
}

function add(all: Record<string, string[]>, key: string, text: string, apart: boolean): void {
  const texts = (all[key] ??= apart ? [] : [""]);
  if (apart) texts.push(text);
  else texts[0] += text;
}
