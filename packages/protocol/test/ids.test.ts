import { expect, test } from "vitest";

import { Fence, Id, StreamId, VmId, VmName, VmPath } from "../src/ids.ts";

test.each([
  [Id, "a"],
  [Id, "A.b:c_d-9"],
  [Id, "x".repeat(64)],
  [VmId, "vm_1-A"],
  [VmName, "0my-vm_2"],
  [VmPath, "/"],
  [VmPath, "/a b/ü/\\x"],
  [VmPath, `/${"x".repeat(4094)}`],
  [StreamId, 1],
  [StreamId, 0xffff_ffff],
  [Fence, 1],
])("case %#: accepted", (schema, value) => {
  expect(schema.safeParse(value).success).toBe(true);
});

test.each([
  [Id, ""],
  [Id, "x".repeat(65)],
  [Id, "a/b"],
  [Id, "a\n"],
  [Id, "a\0"],
  [Id, "ä"],
  [Id, 5],
  [VmId, "a.b"],
  [VmId, ".."],
  [VmName, "_a"],
  [VmName, "A"],
  [VmName, "x".repeat(64)],
  [VmPath, ""],
  [VmPath, "relative"],
  [VmPath, "./a"],
  [VmPath, "/a\0b"],
  [VmPath, `/${"x".repeat(4095)}`],
  [VmPath, `/${"ü".repeat(2048)}`],
  [VmPath, ["/a"]],
  [StreamId, 0],
  [StreamId, -1],
  [StreamId, 0x1_0000_0000],
  [StreamId, 1.5],
  [StreamId, "1"],
  [Fence, 0],
  [Fence, Number.NaN],
])("case %#: refused", (schema, value) => {
  expect(schema.safeParse(value).success).toBe(false);
});
