import { describe, expect, test } from "vitest";

import { parseLine, rawEvent } from "../../src/agent-process/agent-line.ts";
import { type Line, LineSplitter } from "../../src/agent-process/line-splitter.ts";
import { LineTail } from "../../src/agent-process/line-tail.ts";

function split(pieces: readonly (string | Uint8Array)[], longest?: number): Line[] {
  const lines: Line[] = [];
  const splitter = new LineSplitter(
    (line) => lines.push(line),
    longest === undefined ? {} : { longest },
  );
  for (const piece of pieces) splitter.add(typeof piece === "string" ? Buffer.from(piece) : piece);
  splitter.end();
  return lines;
}

function texts(lines: readonly Line[]): string[] {
  return lines.map((line) => (line.kind === "whole" ? line.text : `cut at ${line.bytes}`));
}

describe("LineSplitter", () => {
  test("splits at LF only, wherever the pieces end", () => {
    const text = "first\u2028still first\u2029and\u0085on\nsecond é 🙂\r\n\nlast";
    const whole = Buffer.from(text);
    for (let size = 1; size <= whole.byteLength; size += 1) {
      const pieces = Array.from({ length: Math.ceil(whole.byteLength / size) }, (_, index) =>
        whole.subarray(index * size, (index + 1) * size),
      );
      expect(texts(split(pieces))).toEqual([
        "first\u2028still first\u2029and\u0085on",
        "second é 🙂",
        "last",
      ]);
    }
  });

  test("keeps nothing of the buffer that it was given", () => {
    const buffer = Buffer.from("one");
    const lines: Line[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    splitter.add(buffer);
    buffer.fill("x");
    splitter.add(Buffer.from("\n"));
    expect(texts(lines)).toEqual(["one"]);
  });

  test("cuts a line that is too long, and goes on with the next", () => {
    const lines = split(["12345", "6789\n1234\n", "x".repeat(100)], 8);
    expect(texts(lines)).toEqual(["cut at 9", "1234", "cut at 100"]);
    expect(lines[0]).toEqual({ kind: "cut", head: "12345678", bytes: 9 });
  });
});

describe("LineTail", () => {
  test("keeps the last lines, each within its bound", () => {
    const tail = new LineTail();
    for (let index = 0; index < 250; index += 1) tail.add(Buffer.from(`line ${index}\n`));
    tail.add(Buffer.from("y".repeat(5_000)));
    expect(tail.lines).toHaveLength(100);
    expect(tail.lines[98]).toBe("line 249");
    expect(tail.lines[99]).toBe("y".repeat(1_024));
  });
});

describe("rawEvent", () => {
  test("keeps each kind of line as it was", () => {
    const lines: Line[] = [
      { kind: "whole", text: '{"a":1}' },
      { kind: "whole", text: "no JSON" },
      { kind: "cut", head: "abc", bytes: 99 },
    ];
    expect(lines.map((line) => rawEvent(parseLine(line)).value)).toEqual([
      { a: 1 },
      "no JSON",
      { cut: true, bytes: 99, head: "abc" },
    ]);
  });
});
