import { describe, expect, test } from "vitest";

import { DetachKeys, parseDetachKeys } from "../../src/terminal/detach-keys.ts";

const typed = (keys: string, ...pieces: string[]) => {
  const detach = new DetachKeys(parseDetachKeys(keys));
  return pieces.map((piece) => {
    const { typed: bytes, isDetached } = detach.feed(Buffer.from(piece));
    return [Buffer.from(bytes).toString(), isDetached];
  });
};

describe("the detach keys", () => {
  test("are control keys and characters, by name", () => {
    expect([...parseDetachKeys("ctrl-p,ctrl-q")]).toEqual([16, 17]);
    expect([...parseDetachKeys("ctrl-A,d")]).toEqual([1, 100]);
    expect([...parseDetachKeys("ctrl-@,ctrl-[,ctrl-_,~")]).toEqual([0, 27, 31, 126]);
    expect([...parseDetachKeys("")]).toEqual([]);
    for (const wrong of ["ctrl-1", "ctrl-", "ab", ",", "é", "ctrl-p,"])
      expect(() => parseDetachKeys(wrong)).toThrow("Expected keys such as ctrl-p,ctrl-q");
  });

  test("are found also in two pieces; a beginning of them is kept until it is none", () => {
    expect(typed("ctrl-p,ctrl-q", "ab\u0010\u0011cd")).toEqual([["ab", true]]);
    expect(typed("ctrl-p,ctrl-q", "a\u0010", "\u0011")).toEqual([
      ["a", false],
      ["", true],
    ]);
    expect(typed("ctrl-p,ctrl-q", "\u0010", "x")).toEqual([
      ["", false],
      ["\u0010x", false],
    ]);
    expect(typed("ctrl-p,ctrl-q", "\u0010\u0010\u0011")).toEqual([["\u0010", true]]);
    expect(typed("", "\u0010\u0011")).toEqual([["\u0010\u0011", false]]);
  });
});
