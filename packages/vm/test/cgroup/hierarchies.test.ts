import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { type Hierarchy, readHierarchies } from "../../src/cgroup/hierarchies.ts";

/** Trees as a machine's /proc tells of them; the mounts are in a folder of the test. */
class Machine implements AsyncDisposable {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static async start(): Promise<Machine> {
    return new Machine(await mkdtemp(join(tmpdir(), "cgroups-")));
  }

  /** `mounts`: root, mount point, type and options of each. `directories`: what is there. */
  async read(
    mounts: readonly (readonly [string, string, string, string])[],
    membership: readonly string[],
    directories: readonly string[],
  ): Promise<Hierarchy[]> {
    const lines = mounts.map(
      ([root, at, type, options], index) =>
        `${30 + index} 23 0:28 ${root} ${join(this.root, at)} rw,relatime - ${type} ${type} ${options}`,
    );
    await writeFile(join(this.root, "mountinfo"), `${lines.join("\n")}\n`);
    await writeFile(join(this.root, "cgroup"), `${membership.join("\n")}\n`);
    await Promise.all(directories.map((each) => mkdir(join(this.root, each), { recursive: true })));
    return readHierarchies(this.root);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

test("v1 trees are found by their controllers, v2 beside them", async () => {
  await using machine = await Machine.start();
  const found = await machine.read(
    [
      ["/", "cpu,cpuacct", "cgroup", "rw,cpu,cpuacct"],
      ["/", "memory", "cgroup", "rw,memory"],
      ["/", "systemd", "cgroup", "rw,name=systemd"],
      ["/", "unified", "cgroup2", "rw"],
    ],
    ["5:memory:/a/b", "4:cpu,cpuacct:/", "1:name=systemd:/", "0::/"],
    ["memory/a/b", "cpu,cpuacct", "unified"],
  );
  const at = (path: string): string => join(machine.root, path);
  const v1Cpu = at("cpu,cpuacct");
  expect(found).toEqual([
    { version: 1, controllers: ["memory"], mountPoint: at("memory"), own: at("memory/a/b") },
    { version: 1, controllers: ["cpu", "cpuacct"], mountPoint: v1Cpu, own: v1Cpu },
    { version: 2, controllers: [], mountPoint: at("unified"), own: at("unified") },
  ]);
});

test("a container's mount shows a part of the tree, and its own place in it", async () => {
  await using machine = await Machine.start();
  const found = await machine.read(
    [["/docker/abc", "cg", "cgroup2", "rw"]],
    ["0::/docker/abc/work"],
    ["cg/work"],
  );
  expect(found.map(({ own }) => own)).toEqual([join(machine.root, "cg/work")]);
});

test.for(["/../x", "/not/there", "/docker/other"])(
  "a place that can't be reached (%s) is the mount's top",
  async (path) => {
    await using machine = await Machine.start();
    const found = await machine.read([["/", "cg", "cgroup2", "rw"]], [`0::${path}`], ["cg"]);
    expect(found.map(({ own }) => own)).toEqual([join(machine.root, "cg")]);
  },
);

test("names with blanks are read as the kernel writes them", async () => {
  await using machine = await Machine.start();
  const found = await machine.read(
    [["/", "c\\040g", "cgroup2", "rw"]],
    ["0::/a:b c"],
    ["c g/a:b c"],
  );
  expect(found.map(({ own }) => own)).toEqual([join(machine.root, "c g/a:b c")]);
});

test("without mounts, or without /proc, there are none", async () => {
  await using machine = await Machine.start();
  expect(await machine.read([], ["0::/"], [])).toEqual([]);
  expect(await readHierarchies(join(machine.root, "missing"))).toEqual([]);
});
