import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { findDirectories } from "../../src/doctor/directories.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "agentos-doctor-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

const find = (runtime: string, state = join(directory, "s")) =>
  findDirectories({ AGENTOS_RUNTIME_DIR: runtime, AGENTOS_STATE_DIR: state });

test("missing ones are made, private and empty", async () => {
  const runtime = join(directory, "a", "r");
  expect((await find(runtime)).runtime).toEqual({ path: runtime, usable: true });
  expect((await stat(runtime)).mode & 0o777).toBe(0o700);
  expect(await readdir(runtime)).toEqual([]);
});

test("a runtime directory that others can enter", async () => {
  chmodSync(directory, 0o755);
  expect((await find(directory)).runtime).toEqual({
    path: directory,
    usable: false,
    reason: "expected mode 0700, got mode 0755",
    remedy: `chmod 700 ${directory}`,
  });
});

test("a runtime directory too long for a socket", async () => {
  const { runtime } = await find(join(directory, "x".repeat(60)));
  expect(runtime).toMatchObject({
    usable: false,
    reason: expect.stringContaining("at most 52 bytes"),
  });
});

test("a file, and a place where nothing can be made", async () => {
  const file = join(directory, "file");
  writeFileSync(file, "");
  const { runtime, state } = await find(file, "/proc/no-such/directory");
  expect(runtime).toMatchObject({ usable: false, reason: expect.stringContaining("ENOTDIR") });
  expect(state).toMatchObject({
    usable: false,
    reason: expect.stringContaining("/proc/no-such"),
    remedy: "set AGENTOS_STATE_DIR to a directory that you can write to",
  });
});

test("without its own variables: XDG's, and an empty one counts as none", async () => {
  const { runtime, state } = await findDirectories({
    AGENTOS_RUNTIME_DIR: "",
    XDG_RUNTIME_DIR: directory,
    XDG_STATE_HOME: join(directory, "state"),
  });
  expect(runtime.path).toBe(join(directory, "agentos"));
  expect(state.path).toBe(join(directory, "state", "agentos"));
});
