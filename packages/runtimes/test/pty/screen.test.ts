import { describe, expect, onTestFinished, test } from "vitest";

import { ScreenPattern } from "../../src/pty/screen-pattern.ts";
import { TerminalScreen } from "../../src/pty/terminal-screen.ts";

async function open(size = { cols: 20, rows: 5 }) {
  const answers: string[] = [];
  const screen = await TerminalScreen.open(size, (data) => answers.push(data));
  onTestFinished(() => screen[Symbol.dispose]());
  const write = (text: string): Promise<void> =>
    new Promise((resolve) => screen.write(Buffer.from(text), resolve));
  return { screen, write, answers };
}

describe("TerminalScreen", () => {
  test("is what the program has drawn, without trailing blanks", async () => {
    const { screen, write } = await open();
    await write("one  \r\n\u001b[31mtwo\u001b[0m\r\nthrxe\u001b[2De");
    expect(screen.text).toBe("one\ntwo\nthree");
    await write("\u001b[2J\u001b[Hcleared");
    expect(screen.text).toBe("cleared");
  });

  test("a line that is too long for a row is one line", async () => {
    const { screen, write } = await open();
    await write(`${"x".repeat(30)} end\r\nnext`);
    expect(screen.text).toBe(`${"x".repeat(30)} end\nnext`);
  });

  test("answers what programs ask of a terminal", async () => {
    const { write, answers } = await open();
    await write("ab\u001b[6n\u001b[c");
    const [place, device] = answers.join("").split("R");
    expect(place).toBe("\u001b[1;3");
    expect(device?.startsWith("\u001b[?")).toBe(true);
  });

  test("knows whether the program takes a paste", async () => {
    const { screen, write } = await open();
    expect(screen.takesPaste).toBe(false);
    await write("\u001b[?2004h");
    expect(screen.takesPaste).toBe(true);
    await write("\u001b[?2004l");
    expect(screen.takesPaste).toBe(false);
  });

  test("tells what came below a line, also once that has scrolled away", async () => {
    const { screen, write } = await open();
    await write("before\r\n$ question");
    const mark = screen.mark();
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`);
    await write(`\r\n${lines.join("\r\n")}`);
    expect(screen.textBelow(mark)).toBe(lines.join("\n"));
    await write("\u001b[?1049h\u001b[Ha whole screen");
    expect(screen.textBelow(mark)).toBe("a whole screen");
    await write("\u001b[?1049l");
    expect(screen.textBelow(mark).startsWith("line 0\n")).toBe(true);
  });
});

describe("ScreenPattern", () => {
  test("is held against each line", () => {
    const pattern = new ScreenPattern("^> $", "ready");
    expect(pattern.matches("one\n> \ntwo")).toBe(true);
    expect(pattern.matches("one > ")).toBe(false);
  });

  test("one that is none is refused, and one that takes for ever does not match", () => {
    expect(() => new ScreenPattern("(", "ready")).toThrow(
      /^ready: expected a regular expression of JavaScript, got "\("$/,
    );
    const slow = new ScreenPattern("^(a+)+$", "ready");
    expect(slow.matches(`${"a".repeat(40)}b`)).toBe(false);
    expect(slow.matches("aaa")).toBe(true);
  });
});
