import { existsSync } from "node:fs";
import {
  mkdir,
  readdir,
  readFile as readHostFile,
  writeFile as writeHostFile,
} from "node:fs/promises";
import { join } from "node:path";

import type { VmHandle, VmRequest } from "@agentos/core";
import { isAgentOsError } from "@agentos/protocol";
import { execa } from "execa";
import { describe, expect, test } from "vitest";

import { CollectingSink } from "./collecting-sink.ts";
import {
  DriverFixture,
  nextId,
  processRequest,
  run,
  vmRequest,
  writeFile,
} from "./linux-vm-fixture.ts";
import { hostProcesses, isHostProcess } from "./host-processes.ts";

const isRoot = process.geteuid?.() === 0;

describe("create", () => {
  test("50 VMs at once all run a program", async () => {
    await using fixture = await DriverFixture.start();
    const vms = await Promise.all(Array.from({ length: 50 }, () => fixture.create()));
    const outputs = await Promise.all(vms.map((vm) => run(vm, ["echo", vm.vmId])));
    expect(outputs.map(({ stdout }) => stdout)).toEqual(vms.map((vm) => `${vm.vmId}\n`));
    expect(await readdir(join(fixture.folder, "run"))).toHaveLength(51);
  });

  test("what can't be had is refused by name, and nothing is left", async () => {
    await using fixture = await DriverFixture.start();
    const code = (change: Partial<VmRequest>): Promise<unknown> => codeOf(fixture.create(change));
    const mount = { kind: "memory", target: "/x" } as const;
    expect(await code({ image: "none" })).toBe("IMAGE_NOT_FOUND");
    const { memoryBytes } = (await fixture.driver.probe()).limits;
    const asked = { requiredLimits: ["memoryBytes"], limits: { memoryBytes: 2 ** 30 } } as const;
    const refused = memoryBytes === "hard" ? undefined : "UNSUPPORTED_LIMIT";
    expect(await code(asked)).toBe(refused);
    for (const target of ["/", "/usr", "/etc/x", "/proc", "/a/../b", "/a//b"]) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await code({ mounts: [{ ...mount, target }] })).toBe("MOUNT_REFUSED");
    }
    expect(await code({ mounts: [mount, mount] })).toBe("MOUNT_REFUSED");
    const source = join(fixture.folder, "missing");
    expect(await code({ mounts: [{ kind: "host", source, target: "/x" }] })).toBe("MOUNT_REFUSED");
    expect(await code({ mounts: [{ kind: "host", source: "/etc/passwd", target: "/x" }] })).toBe(
      "MOUNT_REFUSED",
    );
    const vm = await fixture.create();
    expect(await code({ vmId: vm.vmId })).toBe("ALREADY_EXISTS");
    const made = refused === undefined ? 2 : 1;
    expect(await readdir(join(fixture.folder, "run"))).toHaveLength(1 + made);
  });

  test("a create that is given up leaves nothing", async () => {
    await using fixture = await DriverFixture.start();
    await fixture.create();
    const ends = await Promise.all(Array.from({ length: 20 }, (_, at) => giveUp(fixture, at)));
    expect(["created", "CANCELLED"]).toEqual(expect.arrayContaining([...new Set(ends)]));
    expect(ends).toContain("CANCELLED");
    expect(await readdir(join(fixture.folder, "run"))).toHaveLength(2);
  });

  test("a driver without its binary says what to do", async () => {
    await using fixture = await DriverFixture.start({ vmdPath: "/nowhere/vmd" });
    await expect(fixture.create()).rejects.toMatchObject({ code: "DRIVER_UNAVAILABLE" });
    expect(await fixture.driver.probe()).toMatchObject({ available: false });
  });

  test("the probe tells what holds", async () => {
    await using fixture = await DriverFixture.start();
    expect(await fixture.driver.probe()).toEqual({
      driver: "linux",
      available: true,
      isolation: "namespaces",
      // By what the kernel has.
      walls: expect.any(Array),
      limits: {
        // By what cgroups this machine has.
        memoryBytes: expect.stringMatching(/^(hard|soft|none)$/),
        cpus: expect.stringMatching(/^(hard|soft|none)$/),
        pids: "hard",
        diskBytes: "hard",
        openFiles: "hard",
        watches: "hard",
        wallMs: "hard",
      },
    });
  });
});

describe("mounts", () => {
  test("a host directory is read-only unless said otherwise", async () => {
    await using fixture = await DriverFixture.start();
    const source = join(fixture.folder, "shared");
    await mkdir(source);
    await writeHostFile(join(source, "file"), "from the host");
    const vm = await fixture.create({ mounts: [{ kind: "host", source, target: "/data" }] });
    expect((await run(vm, ["cat", "/data/file"])).stdout).toBe("from the host");
    await expect(writeFile(vm, "/data/new", "x")).rejects.toMatchObject({ errno: "EROFS" });
  });

  test("a writable one takes the VM's files under its owner's name", async () => {
    await using fixture = await DriverFixture.start();
    const source = join(fixture.folder, "shared");
    await mkdir(source);
    const mount = { kind: "host", source, target: "/workspace/in", readOnly: false } as const;
    // An ordinary user's own directory needs no map.
    expect(await codeOf(fixture.create({ mounts: [mount] }))).toBe(
      isRoot ? "MOUNT_REFUSED" : undefined,
    );
    const vm = await fixture.create({ mounts: [{ ...mount, mapOwner: isRoot }] });
    await writeFile(vm, "/workspace/in/new", "from the VM");
    const { stdout } = await run(vm, ["stat", "-c", "%U", "/workspace/in/new"]);
    expect(stdout).toBe("agent\n");
    expect(await readHostFile(join(source, "new"), "utf8")).toBe("from the VM");
    await vm[Symbol.asyncDispose]();
  });

  test("a memory mount has its size", async () => {
    await using fixture = await DriverFixture.start();
    const vm = await fixture.create({
      mounts: [{ kind: "memory", target: "/scratch", sizeBytes: 1024 * 1024 }],
    });
    const { exit, stderr } = await run(vm, ["dd", "if=/dev/zero", "of=/scratch/x", "bs=64k"]);
    expect(exit.exitCode).toBe(1);
    expect(stderr).toContain("No space left");
    expect((await vm.files.stat("/scratch/x")).size).toBeLessThanOrEqual(1024 * 1024);
  });
});

describe("limits", () => {
  test("processes and open files are bounded", async () => {
    await using fixture = await DriverFixture.start();
    const vm = await fixture.create({
      limits: { pids: 20, openFiles: 64 },
      requiredLimits: ["pids", "openFiles"],
    });
    expect(vm.limits.pids).toEqual({ value: 20, enforcement: "hard" });
    const bomb = "for i in $(seq 40); do sleep 100 >/dev/null 2>&1 & done; wait";
    const { exit } = await run(vm, ["sh", "-c", bomb], { timeoutMs: 2000 });
    expect(exit.exitCode).not.toBe(0);
    expect((await run(vm, ["sh", "-c", "ulimit -n"])).stdout).toBe("64\n");
  });

  test("a VM past its wall time ends", async () => {
    await using fixture = await DriverFixture.start();
    const vm = await fixture.create({ limits: { wallMs: 100 } });
    expect(await vm.ended).toEqual({ kind: "ended", detail: "its wallMs passed" });
    await expect(vm.ping()).rejects.toMatchObject({ code: "VM_ENDED" });
  });
});

describe("the end", () => {
  test("dispose leaves no process, mount, socket or directory", async () => {
    const mounts = await readHostFile("/proc/self/mountinfo", "utf8");
    const before = await hostProcesses();
    const fixture = await DriverFixture.start();
    const vms = await Promise.all([fixture.create(), fixture.create()]);
    const sleeping = vms.map(async (vm) =>
      vm.startProcess(
        processRequest(vm, ["sh", "-c", "setsid sleep 1000 & sleep 1000"]),
        new CollectingSink(),
      ),
    );
    const started = await Promise.all(sleeping);
    expect((await hostProcesses()).length).toBeGreaterThan(before.length);
    await vms[0]?.[Symbol.asyncDispose]();
    await expect(started[0]?.exited).rejects.toMatchObject({ code: "VM_ENDED" });
    expect(await vms[0]?.ended).toEqual({ kind: "ended" });
    await fixture.driver[Symbol.asyncDispose]();
    await expect(started[1]?.exited).rejects.toMatchObject({ code: "VM_ENDED" });
    expect(await readdir(fixture.folder)).toEqual([]);
    expect(await hostProcesses()).toEqual(before);
    expect(await readHostFile("/proc/self/mountinfo", "utf8")).toBe(mounts);
    await fixture[Symbol.asyncDispose]();
    await expect(fixture.create()).rejects.toMatchObject({ code: "DISPOSED" });
  });

  test("a VM whose first process is killed has died, and everybody is told", async () => {
    await using fixture = await DriverFixture.start();
    const vm = await fixture.create();
    const sink = new CollectingSink();
    const started = await vm.startProcess(processRequest(vm, ["sleep", "1000"]), sink);
    const init = await initOf(vm);
    process.kill(init, "SIGKILL");
    expect(await vm.ended).toMatchObject({ kind: "died" });
    expect(await sink.broken).toMatchObject({ code: "VM_ENDED", details: { vmId: vm.vmId } });
    await expect(started.exited).rejects.toMatchObject({ code: "VM_ENDED" });
    await expect(run(vm, ["true"])).rejects.toMatchObject({ code: "VM_ENDED" });
    // Its id is free again.
    await fixture.create({ vmId: vm.vmId });
  });

  test("a spawner that is killed is replaced, and its VMs can still be ended", async () => {
    await using fixture = await DriverFixture.start();
    const vm = await fixture.create();
    const init = await initOf(vm);
    process.kill(await parentOf(init), "SIGKILL");
    expect((await run(vm, ["echo", "alive"])).stdout).toBe("alive\n");
    const other = await createRetrying(fixture);
    expect((await run(other, ["echo", "new"])).stdout).toBe("new\n");
    await vm[Symbol.asyncDispose]();
    expect(await isHostProcess(init)).toBe(false);
    expect(await readdir(join(fixture.folder, "run"))).toHaveLength(2);
  });

  test("VMs end promptly when the process that hosts the driver is killed", async () => {
    await using fixture = await DriverFixture.start();
    const folder = join(fixture.folder, "run");
    const script = new URL("./host-of-a-vm.mjs", import.meta.url).pathname;
    const host = execa(process.execPath, [script, folder, nextId()], { reject: false });
    const line = await new Promise<string>((resolve) => {
      host.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    });
    const { init, spawner } = parsePids(line);
    expect(await isHostProcess(init)).toBe(true);
    host.kill("SIGKILL");
    await host;
    await expect.poll(() => isHostProcess(init), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => isHostProcess(spawner), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => readdir(folder), { timeout: 10_000 }).toEqual([]);
  });
});

test("root gives each VM host ids of its own and never 0, an ordinary user its own", async () => {
  await using fixture = await DriverFixture.start();
  const vms = await Promise.all([fixture.create(), fixture.create(), fixture.create()]);
  const ids = await Promise.all(vms.map(async (vm) => hostIds(await initOf(vm))));
  const own = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0].join(" ");
  const expected = isRoot ? ids : [own, own, own];
  expect(ids).toEqual(expected);
  expect(new Set(ids).size).toBe(isRoot ? 3 : 1);
  const numbers = ids.flatMap((text) => text.split(" ").map(Number));
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(isRoot ? 100_000 : 1);
});

test("two drivers of one machine don't touch each other", async () => {
  const first = await DriverFixture.start();
  await using second = await DriverFixture.start();
  const vmId = nextId();
  await first.create({ vmId });
  const vm = await second.create({ vmId });
  await first[Symbol.asyncDispose]();
  expect(existsSync(first.folder)).toBe(false);
  expect((await run(vm, ["echo", "still here"])).stdout).toBe("still here\n");
});

/** The VM's PID 1 as the host sees it: the parent of a process that the VM runs. */
async function initOf(vm: VmHandle): Promise<number> {
  const marker = `${process.pid}.${nextId()}`;
  const started = await vm.startProcess(
    processRequest(vm, ["sleep", "1000"], { env: { ...vm.environment, AGENTOS_MARKER: marker } }),
    new CollectingSink(),
  );
  try {
    let init: number | undefined;
    // The environment of a new program shows a moment after it began.
    await expect
      .poll(async () => (init = await parentOfMarked(marker)), { timeout: 10_000 })
      .toBeDefined();
    return init ?? 0;
  } finally {
    started.signal("SIGKILL", "process");
    await started.exited;
    started.close();
  }
}

async function parentOfMarked(marker: string): Promise<number | undefined> {
  for (const pid of await hostProcesses()) {
    // oxlint-disable-next-line no-await-in-loop
    const environ = await readHostFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
    // oxlint-disable-next-line no-await-in-loop
    if (environ.includes(`AGENTOS_MARKER=${marker}`)) return parentOf(pid);
  }
  return undefined;
}

async function parentOf(pid: number): Promise<number> {
  const stat = await readHostFile(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** The death of a spawner is known a moment after it. */
async function createRetrying(fixture: DriverFixture): Promise<VmHandle> {
  let vm: VmHandle | undefined;
  await expect
    .poll(async () => (vm = await fixture.create().catch(() => undefined)), { timeout: 10_000 })
    .toBeDefined();
  if (vm === undefined) throw new Error("no VM");
  return vm;
}

function parsePids(line: string): { init: number; spawner: number } {
  const [init = 0, spawner = 0] = line.trim().split(" ").map(Number);
  return { init, spawner };
}

/** "uid gid" of a process that has the same ones in every place. */
async function hostIds(pid: number): Promise<string> {
  const status = await readHostFile(`/proc/${pid}/status`, "utf8");
  const uid = /^Uid:\t(\d+)\t\1\t\1\t\1$/m.exec(status)?.[1];
  const gid = /^Gid:\t(\d+)\t\1\t\1\t\1$/m.exec(status)?.[1];
  return `${uid} ${gid}`;
}

/** The code of an AgentOS error; undefined for a success. */
async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    return isAgentOsError(error) ? error.code : error;
  }
}

/** Gives a create up after so many turns of the loop, and tells how it ended. */
async function giveUp(fixture: DriverFixture, turns: number): Promise<unknown> {
  const controller = new AbortController();
  const creating = fixture.driver.create(vmRequest(), { signal: controller.signal });
  const ending = creating.then((vm) => vm[Symbol.asyncDispose]());
  const code = codeOf(ending);
  for (let turn = 0; turn < turns; turn++) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setImmediate(resolve));
  }
  controller.abort();
  return (await code) ?? "created";
}
