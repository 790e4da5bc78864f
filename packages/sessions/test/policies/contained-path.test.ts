import { expect, test } from "vitest";

import { isContained } from "../../src/index.ts";
import { fakeVm } from "../fixture.ts";

test.each<[string, boolean]>([
  ["/ws/a/new.txt", true],
  ["/ws", true],
  ["/ws/a/../b", true],
  ["/ws/missing/deep/new.txt", true],
  ["/ws/../out/f", false],
  ["/ws/link/f", false],
  ["/ws/link/new.txt", false],
  ["/ws/dangling", false],
  ["/ws-evil/x", false],
  // After a link `..` is the parent of where it leads, not of where it stands.
  ["/ws/link/../f", false],
  ["/ws/link/../ws/f", true],
  ["/ws/loop/x", false],
  ["/ws/inner/f", true],
  ["/", false],
])("[session.case-53] %s below /ws: %s", async (path, contained) => {
  const { files } = await fakeVm();
  for (const directory of ["/ws/a", "/out", "/ws-evil"]) files.tree.makeDirectories(directory);
  files.tree.writeText("/out/f", "x", 0o644);
  await files.symlink("/out", "/ws/link");
  await files.symlink("../out/missing", "/ws/dangling");
  await files.symlink("loop", "/ws/loop");
  await files.symlink("a", "/ws/inner");
  expect(await isContained(files, path, ["/ws"])).toBe(contained);
});

test("[session.case-53] a workspace that is a link itself holds what it leads to", async () => {
  const { files } = await fakeVm();
  files.tree.makeDirectories("/real");
  await files.symlink("/real", "/ws");
  expect(await isContained(files, "/ws/f", ["/ws"])).toBe(true);
  expect(await isContained(files, "/real/f", ["/ws"])).toBe(true);
  expect(await isContained(files, "/f", ["/ws"])).toBe(false);
});
