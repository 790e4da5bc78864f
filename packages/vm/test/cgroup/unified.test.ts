import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { LimitHit } from "@agentos/core";
import { describe, expect, test } from "vitest";

import { type Branch, makeDirectory, parentOf, removeDirectory } from "../../src/cgroup/branch.ts";
import { detectCgroups } from "../../src/cgroup/detect-cgroups.ts";
import { type Hierarchy, readHierarchies } from "../../src/cgroup/hierarchies.ts";
import { JoinedCgroup } from "../../src/cgroup/joined-cgroup.ts";
import { HeldProcess } from "./held-process.ts";

const isRoot = process.geteuid?.() === 0;

/** The files of a v2 cgroup as a new one has them, in a folder that is no cgroup. */
const V2_FILES = {
  "memory.max": "max\n",
  "memory.swap.max": "max\n",
  "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
  "memory.stat": "anon 4096\nfile 100000\nshmem 8192\n",
  "cpu.max": "max 100000\n",
  "cpu.stat": "usage_usec 2500\nuser_usec 2000\n",
  "pids.max": "max\n",
  "pids.events": "max 0\n",
  "cgroup.procs": "41\n42\n",
} as const;

class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async start(files: Readonly<Record<string, string>>): Promise<Folder> {
    const folder = new Folder(await mkdtemp(join(tmpdir(), "cgroup-")));
    await Promise.all(
      Object.entries(files).map(([name, text]) => writeFile(join(folder.path, name), text)),
    );
    return folder;
  }

  async says(name: string): Promise<string> {
    return readFile(join(this.path, name), "utf8");
  }

  joined(): JoinedCgroup {
    const branch: Branch = {
      version: 2,
      mountPoint: tmpdir(),
      place: tmpdir(),
      controllers: ["memory", "cpu", "pids"],
      limits: ["memoryBytes", "cpus", "pids"],
    };
    return new JoinedCgroup([{ branch, directory: this.path }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

describe("what v2 is told", () => {
  test("each limit is written, and no way around memory's by swap is left", async () => {
    await using folder = await Folder.start(V2_FILES);
    await folder.joined().apply({ memoryBytes: 64 * 1024 * 1024, cpus: 1.5, pids: 12 });
    expect(await folder.says("memory.max")).toBe("67108864");
    expect(await folder.says("memory.swap.max")).toBe("0");
    expect(await folder.says("cpu.max")).toBe("150000 100000");
    expect(await folder.says("pids.max")).toBe("12");
  });

  test("what was not asked for stays as it is", async () => {
    await using folder = await Folder.start(V2_FILES);
    await folder.joined().apply({ pids: 12 });
    expect(await folder.says("memory.max")).toBe("max\n");
    expect(await folder.says("memory.swap.max")).toBe("max\n");
    expect(await folder.says("cpu.max")).toBe("max 100000\n");
  });

  test("a kernel that does not count swap has no file for it, and that is all right", async () => {
    const { "memory.swap.max": _, ...files } = V2_FILES;
    await using folder = await Folder.start(files);
    await folder.joined().apply({ memoryBytes: 64 * 1024 * 1024 });
    expect(await folder.says("memory.max")).toBe("67108864");
    expect(existsSync(join(folder.path, "memory.swap.max"))).toBe(false);
  });

  test("a limit without its file is refused by name", async () => {
    const { "memory.max": _, ...files } = V2_FILES;
    await using folder = await Folder.start(files);
    await expect(folder.joined().apply({ memoryBytes: 1024 })).rejects.toMatchObject({
      code: "UNSUPPORTED_LIMIT",
      details: { limit: "memoryBytes", reason: "writing 1024 to memory.max failed with ENOENT" },
    });
  });

  test("use is read from what v2 counts", async () => {
    await using folder = await Folder.start(V2_FILES);
    await mkdir(join(folder.path, "frozen"));
    await writeFile(join(folder.path, "frozen/cgroup.procs"), "43\n");
    const use = { memoryBytes: 12_288, processes: 3, cpuMs: 2.5 };
    expect(await folder.joined().read()).toEqual(use);
  });

  test("hits are told without being asked for, and in bounded number", async () => {
    await using folder = await Folder.start(V2_FILES);
    const cgroup = folder.joined();
    const hits: LimitHit[] = [];
    cgroup.onHit((hit) => hits.push(hit));
    await cgroup.apply({ memoryBytes: 4096, pids: 12 });
    const events = V2_FILES["memory.events"].replace("oom_kill 0", "oom_kill 1");
    await writeFile(join(folder.path, "memory.events"), events);
    const memory = [{ limit: "memoryBytes", value: 4096 }];
    await expect.poll(() => hits, { timeout: 10_000 }).toEqual(memory);
    for (let count = 1; count <= 100; count++) {
      // The kernel counts on while a bomb runs.
      // oxlint-disable-next-line no-await-in-loop
      await writeFile(join(folder.path, "pids.events"), `max ${count}\n`);
    }
    // The last of them is seen though it was too soon to be told.
    await expect.poll(() => hits.length, { timeout: 10_000 }).toBeGreaterThan(1);
    await cgroup.check();
    expect(hits.length).toBeLessThan(6);
    await cgroup.remove();
  });
});

describe("the unified tree of this machine", () => {
  test("a controller is handed down to the VMs, and not by a cgroup with processes", async () => {
    const found = await readHierarchies();
    const unified = found.find(({ version }) => version === 2);
    const [controller] = await controllersOf(unified);
    // An ordinary user may change nothing there, and some machines have no such tree.
    if (unified === undefined || controller === undefined || !isRoot) return;
    const { mountPoint } = unified;
    const branch = { version: 2, mountPoint, controllers: [controller], limits: [] } as const;
    const inner = join(mountPoint, `agentos-test-${process.pid}`);
    await mkdir(inner);
    const busy = { ...branch, place: inner };
    await using held = await HeldProcess.start([inner], "read more");
    const handing = join(mountPoint, "cgroup.subtree_control");
    const before = await readFile(handing, "utf8");
    const handedBefore = `${before.includes(controller) ? "+" : "-"}${controller}`;
    await writeFile(handing, `+${controller}`);
    await expect(makeDirectory(busy, "vm")).rejects.toMatchObject({ code: "EBUSY" });
    held.kill();
    await held.end();
    const directory = await makeDirectory(busy, "vm");
    const handed = await readFile(join(directory, "cgroup.controllers"), "utf8");
    expect(handed.trim().split(" ")).toEqual([controller]);
    expect(await removeDirectory(directory)).toBe(true);
    expect(await removeDirectory(parentOf(busy))).toBe(true);
    expect(await removeDirectory(inner)).toBe(true);
    await writeFile(handing, handedBefore);
  });

  test("where nothing is mounted, nothing is offered, and it is said", async () => {
    await using folder = await Folder.start({ mountinfo: "", cgroup: "0::/\n" });
    const { branches, offers } = await detectCgroups(folder.path);
    expect(branches).toEqual([]);
    expect(offers.cpus).toEqual({
      enforcement: "none",
      reason: "no cpu controller of cgroups is mounted here",
    });
  });

  test("where it is mounted read-only or is no cgroup, nothing is offered, and it is said", async () => {
    await using folder = await Folder.start({ cgroup: "0::/\n" });
    const at = `30 23 0:28 / ${folder.path} rw - cgroup2 cgroup2 rw\n`;
    await writeFile(join(folder.path, "mountinfo"), at);
    const { branches, offers } = await detectCgroups(folder.path);
    expect(branches).toEqual([]);
    expect(offers.memoryBytes.enforcement).toBe("none");
    expect(offers.memoryBytes.reason).toBe("moving a process into a cgroup failed with ENOENT");
  });
});

async function controllersOf(unified: Hierarchy | undefined): Promise<string[]> {
  if (unified === undefined) return [];
  const text = await readFile(join(unified.mountPoint, "cgroup.controllers"), "utf8");
  return text.trim().split(" ").filter(Boolean);
}
