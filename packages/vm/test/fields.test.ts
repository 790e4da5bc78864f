import { isAgentOsError } from "@agentos/protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { FieldWriter, readFields } from "../src/link/fields.ts";

test("fields come back as they were written", () => {
  const field = fc.tuple(fc.integer({ min: 1, max: 0xffff }), fc.uint8Array({ maxLength: 50 }));
  fc.assert(
    fc.property(fc.uniqueArray(field, { selector: ([tag]) => tag }), (fields) => {
      const writer = new FieldWriter();
      for (const [tag, value] of fields) writer.bytes(tag, value);
      const read = readFields(
        writer.finish(),
        fields.map(([tag]) => tag),
      );
      expect([...read].map(([tag, value]) => [tag, Uint8Array.from(value)])).toEqual(fields);
    }),
  );
});

test("no bytes make the reader throw anything but a protocol error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(["read", "PROTOCOL_ERROR"]).toContain(outcome(bytes));
    }),
  );
});

test("a cut, unknown or repeated field is refused", () => {
  const payload = new FieldWriter().text(1, "abc").finish();
  expect(() => readFields(payload.subarray(0, 4), [1])).toThrow("header is cut");
  expect(() => readFields(payload.subarray(0, 8), [1])).toThrow("field 1 is cut");
  expect(() => readFields(payload, [2])).toThrow("unexpected field 1");
  expect(() => readFields(Buffer.concat([payload, payload]), [1])).toThrow("came twice");
});

test("the writer refuses a NUL in a text and a payload that no frame holds", () => {
  expect(() => new FieldWriter().text(1, "a\0b")).toThrow("without NUL");
  expect(() => new FieldWriter().bytes(1, Buffer.alloc(1024 * 1024))).toThrow("at most 1048576");
});

function outcome(bytes: Uint8Array): unknown {
  try {
    readFields(bytes, [0, 1, 2, 256]);
    return "read";
  } catch (error) {
    return isAgentOsError(error) ? error.code : error;
  }
}
