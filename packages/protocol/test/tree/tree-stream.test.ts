import * as fc from "fast-check";
import { expect, test } from "vitest";

import { isAgentOsError } from "../../src/agent-os-error.ts";
import { TreeReader } from "../../src/tree/tree-reader.ts";
import type { TreeRecord } from "../../src/tree/tree-record.ts";
import { writeTree } from "../../src/tree/write-tree.ts";

const attributes = { mode: 0o640, mtimeMs: 1_700_000_000_123.5 };
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

/** What a reader makes of these bytes, with the parts of a piece put together again. */
function read(chunks: readonly Uint8Array[]): TreeRecord[] {
  const reader = new TreeReader();
  const records: TreeRecord[] = [];
  for (const chunk of chunks) {
    for (const record of reader.push(chunk)) {
      const last = records.at(-1);
      const goesOn =
        record.kind === "piece" &&
        last?.kind === "piece" &&
        last.offset + last.bytes.byteLength === record.offset;
      if (goesOn) last.bytes = Buffer.concat([last.bytes, record.bytes]);
      else
        records.push(
          record.kind === "piece" ? { ...record, bytes: Buffer.from(record.bytes) } : record,
        );
    }
  }
  return records;
}

function failureOf(chunks: readonly Uint8Array[]): unknown {
  try {
    read(chunks);
    return undefined;
  } catch (error) {
    return error;
  }
}

const TREE = Buffer.concat([
  writeTree.directory(bytes(""), attributes),
  writeTree.file(bytes("na\xefve"), attributes, 1000),
  writeTree.piece(10, 5),
  bytes("hello"),
  writeTree.fileEnd,
  writeTree.directory(bytes("sub"), { ...attributes, mode: 0o4755 }),
  writeTree.hardLink(bytes("again"), bytes("na\xefve")),
  writeTree.up,
  writeTree.link(bytes("link"), bytes("/etc/passwd")),
  writeTree.skipped(bytes("pipe"), "p"),
  writeTree.up,
  writeTree.end,
]);

test("a tree comes out as it went in, however its bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(TREE.byteLength), { maxLength: 40 }), (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), TREE.byteLength];
      const records = read(at.slice(1).map((end, index) => TREE.subarray(at[index], end)));
      expect(records.map(({ kind }) => kind)).toEqual([
        "directory",
        "file",
        "piece",
        "fileEnd",
        "directory",
        "hardLink",
        "up",
        "link",
        "skipped",
        "up",
        "end",
      ]);
      expect(records[1]).toMatchObject({ ...attributes, size: 1000, name: bytes("na\xefve") });
      expect(records[2]).toEqual({ kind: "piece", offset: 10, bytes: bytes("hello") });
      // Set-id bits are not even in the stream.
      expect(records[4]).toMatchObject({ mode: 0o755 });
      expect(records[7]).toMatchObject({ content: bytes("/etc/passwd") });
      expect(records[8]).toMatchObject({ type: "p" });
    }),
  );
});

const directory = writeTree.directory(bytes(""), attributes);
const within = (...parts: Buffer[]): Buffer => Buffer.concat([directory, ...parts]);
const file = (name: string, size = 0): Buffer => writeTree.file(bytes(name), attributes, size);

test.each([
  ["a name with a slash", within(file("a/b"))],
  ["a name that leads up", within(file(".."))],
  ["the directory's own name", within(writeTree.directory(bytes("."), attributes))],
  ["no name", within(writeTree.link(bytes(""), bytes("x")))],
  ["an absolute name", within(file("/etc/passwd"))],
  ["a NUL in a name", within(file("a\0b"))],
  ["a name beyond all names", within(file("x".repeat(256)))],
  ["a name of the top", file("top")],
  ["a top that is a link", writeTree.link(bytes(""), bytes("/etc"))],
  ["a link to nothing", within(writeTree.link(bytes("l"), bytes("")))],
  ["a piece beyond its file", within(file("f", 4), writeTree.piece(2, 3))],
  [
    "a piece before the last",
    within(file("f", 9), writeTree.piece(4, 1), bytes("x"), writeTree.piece(0, 1)),
  ],
  ["a piece without bound", within(file("f", 2 ** 40), writeTree.piece(0, 2 ** 31))],
  [
    "a size beyond all files",
    within(Buffer.concat([file("f").subarray(0, 13), Buffer.alloc(8, 0xff), bytes("\x01\0f")])),
  ],
  ["one end too many", within(writeTree.up, writeTree.up)],
  ["an end within", within(writeTree.end)],
  ["something after the end", within(writeTree.up, writeTree.end, writeTree.end)],
  ["a second top", within(writeTree.up, directory)],
  ["an unknown kind", within(Buffer.of(0))],
  [
    "too many directories",
    Buffer.concat([
      directory,
      ...Array.from({ length: 256 }, () => writeTree.directory(bytes("d"), attributes)),
    ]),
  ],
])("%s is refused", (_name, stream) => {
  expect(isAgentOsError(failureOf([stream]), "PROTOCOL_ERROR")).toBe(true);
});

test("a stream that was cut has no end", () => {
  const reader = new TreeReader();
  expect([...reader.push(TREE.subarray(0, -1))].at(-1)).toEqual({ kind: "up" });
  expect(reader.hasEnded).toBe(false);
  expect([...reader.push(TREE.subarray(-1))]).toEqual([{ kind: "end" }]);
  expect(reader.hasEnded).toBe(true);
});

test("no bytes make it throw anything else, or take more memory than they are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(TREE.byteLength), (noise, at) => {
      const thrown = failureOf([TREE.subarray(0, at), noise]);
      expect(thrown === undefined || isAgentOsError(thrown, "PROTOCOL_ERROR")).toBe(true);
    }),
  );
});
