import { describe, expect, test } from "vitest";

import { WithoutClipboard } from "../../src/terminal/without-clipboard.ts";

function passed(text: string): string {
  return Buffer.from(new WithoutClipboard().feed(Buffer.from(text))).toString();
}

/** The same, byte by byte. */
function passedInPieces(text: string): string {
  const guard = new WithoutClipboard();
  const pieces = Array.from(Buffer.from(text), (byte) => guard.feed(Uint8Array.of(byte)));
  return Buffer.concat(pieces).toString();
}

const copy = "\u001b]52;c;ZXZpbA==";

describe("a guest's output", () => {
  test("can't reach the clipboard, in one piece or in many", () => {
    for (const end of ["\u0007", "\u001b\\", "\u0018"]) {
      expect(passed(`before${copy}${end}after`)).toBe("beforeafter");
      expect(passedInPieces(`before${copy}${end}after`)).toBe("beforeafter");
    }
    expect(passed("\u001b]52;c;?\u0007x")).toBe("x");
    expect(passed(`\u001b${copy}\u0007`)).toBe("\u001b");
    expect(passed(`${copy}${copy}\u0007x`)).toBe("x");
    // Cut off by something else, which begins there.
    expect(passed(`${copy}\u001b[31mred`)).toBe("\u001b[31mred");
  });

  test("is otherwise as it was", () => {
    const screen =
      "żółć \u001b[31m\u001b]0;title\u0007\u001b]5;x\u0007\u001b]520;x\u0007\u001b]8;;http://a\u001b\\\r\n";
    expect(passed(screen)).toBe(screen);
    expect(passedInPieces(screen)).toBe(screen);
    expect(passed("\u001b]52")).toBe("");
  });
});
