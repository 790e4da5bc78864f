import { describe, expect, test } from "vitest";

import { ScreenModes } from "../../src/terminal/screen-modes.ts";
import { withoutQueries } from "../../src/terminal/without-queries.ts";

function undoing(...pieces: string[]): string {
  const modes = new ScreenModes();
  for (const piece of pieces) modes.feed(Buffer.from(piece));
  return modes.restore();
}

describe("what a program did to the screen", () => {
  test("is undone where the program has not done so itself", () => {
    expect(undoing("plain \u001b[2J\u001b[3;4H text")).toBe("");
    expect(undoing("\u001b[?1049h\u001b[?25l\u001b[31m\u001b=")).toBe(
      "\u001b[?25h\u001b[?1049l\u001b>\u001b[m",
    );
    expect(undoing("\u001b[?1049h", "\u001b[?1049l\u001b[?25l\u001b[?25h\u001b[31m\u001b[0m")).toBe(
      "",
    );
    expect(undoing("\u001b[?1000;1006;2004h\u001b[?7l")).toBe(
      "\u001b[?7h\u001b[?1000l\u001b[?1006l\u001b[?2004l",
    );
    expect(undoing("\u001b[?1049h\u001bc")).toBe("");
  });

  test("is seen also where it comes in pieces, and among bytes that are none of it", () => {
    expect(undoing("\u001b", "[?10", "49", "h")).toBe("\u001b[?1049l");
    expect(undoing(`\u001b[${"1;".repeat(500)}\u001b[?25l`)).toBe("\u001b[?25h");
    expect(undoing("\u001b]0;title\u0007\u001b[?25l")).toBe("\u001b[?25h");
    expect(undoing("\u001b[?12345h\u001b[?h")).toBe("");
  });
});

function clean(text: string): string {
  return Buffer.from(withoutQueries(Buffer.from(text))).toString();
}

describe("old output", () => {
  test("is shown without what the terminal would answer", () => {
    const queries = [
      "\u001b[6n\u001b[?6n\u001b[5n\u001b[c\u001b[>c\u001b[=0c\u001b[>q\u001b[?u\u001b[18t\u001b[?2026$p",
      "\u001b]10;?\u0007\u001b]11;?\u001b\\\u001b]4;3;?\u0007\u001bP+q544e\u001b\\\u001bP$qm\u001b\\\u0005\u001bZ",
    ].join("");
    expect(clean(`before${queries}after`)).toBe("beforeafter");
  });

  test("is otherwise as it was", () => {
    const screen =
      "żółć \u001b[31mred\u001b[m\u001b[2J\u001b[1;10H\u001b[?25l\u001b[22;0;0t\u001b]0;title\u0007\u001b[4 q\r\n";
    expect(clean(screen)).toBe(screen);
  });
});
