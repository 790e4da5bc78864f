import { Writable } from "node:stream";

import { describe, expect, test } from "vitest";

import { diffLines } from "../../src/output/diff.ts";
import { OutputEncoder } from "../../src/output/encode-output.ts";
import { LineIndenter } from "../../src/output/line-indenter.ts";
import { printable } from "../../src/output/printable.ts";
import { formatAge, formatBytes, formatDuration } from "../../src/output/quantity.ts";
import { formatTable } from "../../src/output/table.ts";
import { formatSize, formatUse } from "../../src/output/vm-use.ts";
import { write } from "../../src/output/write.ts";

const indent = (...pieces: string[]) => {
  const indenter = new LineIndenter("| ");
  return pieces.map((piece) => indenter.push(Buffer.from(piece))).join("") + indenter.end();
};

const text = (before: string, after: string) =>
  diffLines(before, after).map(({ sign, text: line }) => `${sign}${line}`);

const limit = (value: number | null, enforcement: "hard" | "none" = "hard") => ({
  value,
  enforcement,
});

describe("tables", () => {
  const columns = [
    { title: "NAME", value: (row: { name: string }) => row.name },
    {
      title: "LENGTH",
      value: (row: { name: string }) => String(row.name.length),
      align: "right" as const,
    },
  ];

  test("columns are as wide as their widest cell", () => {
    expect(formatTable(columns, [{ name: "a" }, { name: "longer" }])).toBe(
      "NAME    LENGTH\na            1\nlonger       6\n",
    );
  });

  test("control characters of a guest are spelled out", () => {
    const table = formatTable(columns, [{ name: "\u001b]52;c;ZXZpbA==\u0007\nx\u202e" }]);
    expect(table).toContain(String.raw`\x1b]52;c;ZXZpbA==\x07\x0ax\u202e`);
    expect(table.split("\n")).toHaveLength(3);
  });

  test("one long cell does not push the others off the screen", () => {
    expect(formatTable(columns, [{ name: "y".repeat(5000) }]).length).toBeLessThan(400);
  });
});

test("printable leaves ordinary text alone", () => {
  expect(printable("naïve 🐚 text")).toBe("naïve 🐚 text");
});

test("quantities are short", () => {
  expect([0, 812, 1024, 3_355_443, 400 * 1024 ** 2].map(formatBytes)).toEqual([
    "0 B",
    "812 B",
    "1.0 KiB",
    "3.2 MiB",
    "400 MiB",
  ]);
  expect([0.42, 84.2, 1340, 12_345, 125_000].map(formatDuration)).toEqual([
    "0.4 ms",
    "84 ms",
    "1.34 s",
    "12.3 s",
    "2 min 5 s",
  ]);
  expect([-5, 12_000, 300_000, 3 * 3_600_000, 50 * 3_600_000].map(formatAge)).toEqual([
    "0s",
    "12s",
    "5m",
    "3h",
    "2d",
  ]);
});

test("use against limit is short, and says what is not held or not known", () => {
  const bytes = [0, 812, 1024, 10_200, 12_582_912, 4 * 1024 ** 3];
  expect(bytes.map(formatSize)).toEqual(["0B", "812B", "1.0K", "10K", "12M", "4.0G"]);
  expect(formatUse(12 * 1024 ** 2, limit(4 * 1024 ** 3), formatSize)).toBe("12M/4.0G");
  expect(formatUse(3, limit(2048, "none"), String)).toBe("3/(2048)");
  expect(formatUse(null, limit(2048), String)).toBe("-/2048");
  expect(formatUse(undefined, limit(null, "none"), String)).toBe("-");
});

describe("output in JSON lines", () => {
  test("a character that comes in pieces stays whole", () => {
    const encoder = new OutputEncoder();
    const bytes = Buffer.from("a🐚b");
    expect([...bytes].map((byte) => encoder.push(Uint8Array.of(byte)))).toEqual([
      { text: "a" },
      undefined,
      undefined,
      undefined,
      { text: "🐚" },
      { text: "b" },
    ]);
    expect(encoder.end()).toBeUndefined();
  });

  test("bytes that are no text are not changed", () => {
    const encoder = new OutputEncoder();
    const bytes = Uint8Array.of(0xff, 0x00, 0x80, 0x80, 0x80, 0x80, 0x41);
    expect(encoder.push(bytes)).toEqual({ base64: Buffer.from(bytes).toString("base64") });
  });

  test("an end in the middle of a character loses nothing", () => {
    const encoder = new OutputEncoder();
    expect(encoder.push(Uint8Array.of(0x41, 0xf0, 0x9f))).toEqual({ text: "A" });
    expect(encoder.end()).toEqual({ base64: Buffer.from([0xf0, 0x9f]).toString("base64") });
    expect(encoder.end()).toBeUndefined();
  });
});

describe("indenting", () => {
  test("each line gets the prefix once, wherever it was cut", () => {
    expect(indent("one\ntw", "o\n", "\nthree\n")).toBe("| one\n| two\n\n| three\n");
  });

  test("an open last line is ended", () => {
    expect(indent("no end")).toBe("| no end\n");
    expect(indent()).toBe("");
  });
});

describe("the diff", () => {
  test("shows the changed line and two around it", () => {
    expect(text("1\n2\n3\nold\n5\n6\n7\n", "1\n2\n3\nnew\n5\n6\n7\n")).toEqual([
      " 2",
      " 3",
      "-old",
      "+new",
      " 5",
      " 6",
    ]);
  });

  test("lines can be added, removed and repeated", () => {
    expect(text("a\na\n", "a\na\na\n")).toEqual([" a", " a", "+a"]);
    expect(text("a\nb\n", "a\n")).toEqual([" a", "-b"]);
    expect(text("same\n", "same\n")).toEqual([]);
  });
});

test("a slow reader is waited for, and the wait can be given up", async () => {
  const pending: (() => void)[] = [];
  const slow = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => void pending.push(done),
  });
  const abort = new AbortController();
  const first = write(slow, "x");
  const second = write(slow, "y", abort.signal);
  abort.abort();
  await expect(second).rejects.toMatchObject({ name: "AbortError" });
  pending.shift()?.();
  pending.shift()?.();
  await first;
  expect(pending).toEqual([]);
});
