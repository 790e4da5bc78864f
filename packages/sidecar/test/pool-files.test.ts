import { spawn } from "node:child_process";
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { DiscoveryFile } from "@agentos/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { removeDiscoveryFile, writeDiscoveryFile } from "../src/discovery-file.ts";
import { nextEpoch } from "../src/epoch.ts";
import { PoolLock } from "../src/pool-lock.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sc-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe("nextEpoch", () => {
  test("only grows, for each owner by itself", () => {
    expect([1, 2, 3].map(() => nextEpoch(directory, "pool:a"))).toEqual([1, 2, 3]);
    expect(nextEpoch(directory, "pool:__proto__")).toBe(1);
    expect(nextEpoch(directory, "pool:a")).toBe(4);
  });

  test("a state directory that can't be written is a clear error", async () => {
    await writeFile(join(directory, "file"), "");
    expect(() => nextEpoch(join(directory, "file"), "pool:a")).toThrow(
      expect.objectContaining({
        code: "SIDECAR_START_FAILED",
        message: expect.stringContaining(join(directory, "file")),
      }),
    );
  });
});

describe("PoolLock", () => {
  test("one process at a time, and a kill releases it", async () => {
    const path = join(directory, "sidecar.lock");
    const script = `
      const { DatabaseSync } = require("node:sqlite");
      new DatabaseSync(process.argv[1]).exec("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE");
      console.log("locked");
      setInterval(() => {}, 1000);`;
    const other = spawn(process.execPath, ["-e", script, path], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await new Promise((resolve) => other.stdout.once("data", resolve));
    expect(PoolLock.acquire(path)).toBeUndefined();
    const gone = new Promise((resolve) => other.once("close", resolve));
    other.kill("SIGKILL");
    await gone;
    using lock = PoolLock.acquire(path);
    expect(lock).toBeDefined();
  });

  test("a path that can't be locked is a clear error", () => {
    expect(() => PoolLock.acquire(join(directory, "missing", "sidecar.lock"))).toThrow(
      expect.objectContaining({ code: "SIDECAR_START_FAILED" }),
    );
  });
});

describe("the discovery file", () => {
  const content: DiscoveryFile = {
    sidecarId: "s",
    epoch: 3,
    pid: 7,
    listen: { kind: "unix", path: "/run/x.sock" },
    apiKey: "k".repeat(43),
    protocol: { min: 1, max: 1 },
  };

  test("is written whole with mode 0600, over an older one, and leaves nothing else", async () => {
    const path = join(directory, "sidecar.json");
    await writeFile(path, "an older life's", { mode: 0o644 });
    await writeDiscoveryFile(path, content);
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual(content);
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(["sidecar.json"]);
  });

  test("is removed by its own life only", async () => {
    const path = join(directory, "sidecar.json");
    await writeDiscoveryFile(path, content);
    for (const other of [{ epoch: 4 }, { pid: 8 }, { sidecarId: "t" }]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await removeDiscoveryFile(path, { ...content, ...other });
    }
    expect(await readdir(directory)).toEqual(["sidecar.json"]);
    await removeDiscoveryFile(path, content);
    await removeDiscoveryFile(path, content);
    expect(await readdir(directory)).toEqual([]);
  });
});
