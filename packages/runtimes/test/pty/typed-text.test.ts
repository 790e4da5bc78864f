import { describe, expect, test } from "vitest";

import { typedText } from "../../src/pty/typed-text.ts";

describe("typedText", () => {
  test("a paste is whole, whatever is in it", () => {
    expect(typedText("one\r\ntwo\rthree\tfour é🙂", true)).toBe(
      "\u001b[200~one\ntwo\nthree\tfour é🙂\u001b[201~",
    );
  });

  test("nothing in it acts as a key, or ends the paste", () => {
    const hostile = "a\u001b[201~\rrm -rf /\u0003\u0004\u007f\u009b201~\u0000\u001bOPb";
    expect(typedText(hostile, true)).toBe("\u001b[200~a[201~\nrm -rf /201~OPb\u001b[201~");
    expect(typedText(hostile, false)).toBe("a[201~ rm -rf /201~OPb");
  });

  test("where a program takes no paste, no line's end submits a part", () => {
    expect(typedText("  one\n\n\ttwo\n", false)).toBe("one two");
  });
});
