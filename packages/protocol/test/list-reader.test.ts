import { describe, expect, test } from "vitest";

import { ListReader } from "../src/tree/list-reader.ts";

function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16LE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
}

function entry(type: string, name: string, target = "", size = 0n, digest = Buffer.of(0)): Buffer {
  const head = Buffer.alloc(29);
  head.write(type, "latin1");
  head.writeUInt32LE(0o644, 1);
  head.writeBigUInt64LE(size, 5);
  head.writeBigInt64LE(1_500_000n, 13);
  head.writeBigInt64LE(-1_000_000n, 21);
  return Buffer.concat([head, text(name), text(target), digest]);
}

const top = entry("d", "");
const up = Buffer.from("U");
const end = Buffer.from("E");

describe("a list", () => {
  test("is the same however it is cut", () => {
    const stream = Buffer.concat([
      top,
      entry("d", "a"),
      entry("f", "b", "", 7n, Buffer.concat([Buffer.of(32), Buffer.alloc(32, 0xab)])),
      up,
      entry("l", "c", "a/b"),
      up,
      end,
    ]);
    const times = { mode: 0o644, mtimeMs: 1.5, ctimeMs: -1 };
    const whole = [
      { path: "a", type: "directory", size: 0, ...times },
      { path: "a/b", type: "file", size: 7, digest: "ab".repeat(32), ...times },
      { path: "c", type: "symlink", size: 0, target: "a/b", ...times },
    ];
    for (const pieceBytes of [1, 3, 40, stream.byteLength]) {
      const reader = new ListReader();
      const files = [];
      for (let at = 0; at < stream.byteLength; at += pieceBytes)
        files.push(...reader.push(stream.subarray(at, at + pieceBytes)));
      expect([files, reader.hasEnded]).toEqual([whole, true]);
    }
  });

  test.each([
    ["no top", [entry("f", "")]],
    ["a top with a name", [entry("d", "x")]],
    ["a name that leads out", [top, entry("f", "..")]],
    ["a name of two parts", [top, entry("f", "a/b")]],
    ["no name", [top, entry("f", "")]],
    ["an unknown type", [top, entry("x", "a")]],
    ["a size beyond all numbers", [top, entry("f", "a", "", 2n ** 63n)]],
    ["a digest that is none", [top, entry("f", "a", "", 1n, Buffer.of(5, 1, 2, 3, 4, 5))]],
    ["an end within a directory", [top, end]],
    ["a directory's end too many", [top, up, up]],
    ["a file after its top", [top, up, entry("f", "a")]],
    ["bytes after its end", [top, up, end, up]],
    ["directories that never end", [top, ...Array.from({ length: 300 }, () => entry("d", "d"))]],
  ])("with %s is refused", (_what, parts) => {
    const reader = new ListReader();
    expect(() => reader.push(Buffer.concat(parts))).toThrow(
      expect.objectContaining({ code: "PROTOCOL_ERROR" }),
    );
  });
});
