import { readdir, readFile } from "node:fs/promises";

import type { LimitHit, VmHandle } from "@agentos/core";
import { isAgentOsError } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { CollectingSink } from "../collecting-sink.ts";
import { DriverFixture, processRequest, run } from "../linux-vm-fixture.ts";

const MIB = 1024 * 1024;

/** Takes `mib` of memory, 10 at a time. */
function memoryBomb(mib: number): string[] {
  const loop = `for (let at = 0; at < ${mib}; at += 10) kept.push(Buffer.alloc(10485760, 1));`;
  return ["node", "-e", `const kept = []; ${loop} console.log("all of it")`];
}

/** Not bash, which tries to fork for 15 s. */
const FORK_BOMB = ["sh", "-c", "for i in $(seq 60); do sleep 0.5 & done; wait; echo all of them"];

async function isHard(fixture: DriverFixture, limit: "memoryBytes" | "cpus"): Promise<boolean> {
  const { limits } = await fixture.driver.probe();
  return limits[limit] === "hard";
}

function listened(vm: VmHandle): LimitHit[] {
  const hits: LimitHit[] = [];
  vm.onLimit((hit) => hits.push(hit));
  return hits;
}

describe("a VM past a limit", () => {
  test("memory: the program ends, its VM and the neighbour go on", async () => {
    await using fixture = await DriverFixture.start();
    const hard = await isHard(fixture, "memoryBytes");
    const limits = { memoryBytes: 256 * MIB };
    const [vm, neighbour] = await Promise.all([fixture.create({ limits }), fixture.create()]);
    expect(vm.limits.memoryBytes).toEqual({
      value: 256 * MIB,
      enforcement: hard ? "hard" : "none",
    });
    const hits = listened(vm);
    const bombing = run(vm, memoryBomb(600));
    expect((await run(neighbour, ["echo", "here"])).stdout).toBe("here\n");
    const { exit, stdout } = await bombing;
    expect(exit.signal).toBe(hard ? "SIGKILL" : null);
    expect(stdout).toBe(hard ? "" : "all of it\n");
    const told = hard ? [{ limit: "memoryBytes", value: 256 * MIB }] : [];
    await expect.poll(() => hits).toEqual(told);
    expect((await run(vm, ["echo", "alive"])).stdout).toBe("alive\n");
    expect((await run(neighbour, ["echo", "here"])).stdout).toBe("here\n");
  });

  test("pids: forks fail, and what runs goes on", async () => {
    await using fixture = await DriverFixture.start();
    const vm = await fixture.create({ limits: { pids: 20 }, requiredLimits: ["pids"] });
    expect(vm.limits.pids).toEqual({ value: 20, enforcement: "hard" });
    const hits = listened(vm);
    const { stdout, stderr, exit } = await run(vm, FORK_BOMB);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/fork/i);
    expect(exit.exitCode).not.toBe(0);
    // An rlimit holds as hard, but nobody counts what it refuses.
    const told = (await isHard(fixture, "memoryBytes")) ? [{ limit: "pids", value: 20 }] : [];
    await expect.poll(() => hits).toEqual(told);
    await expect
      .poll(async () => (await run(vm, ["echo", "alive"]).catch(() => undefined))?.stdout)
      .toBe("alive\n");
  });

  test("cpus: a busy program gets its part", async () => {
    await using fixture = await DriverFixture.start();
    const hard = await isHard(fixture, "cpus");
    const vm = await fixture.create({ limits: { cpus: 0.2 } });
    expect(vm.limits.cpus).toEqual({ value: 0.2, enforcement: hard ? "hard" : "none" });
    const spin =
      "const end = Date.now() + 2000; while (Date.now() < end); console.log(process.cpuUsage().user)";
    const { stdout } = await run(vm, ["node", "-e", spin]);
    const seconds = Number(stdout) / 1_000_000;
    expect(seconds).toBeLessThan(hard ? 1 : 3);
    const { cpuMs } = await vm.stats();
    expect(cpuMs ?? 100).toBeGreaterThan(50);
  });

  test("disk: ENOSPC before memory ends anything", async () => {
    await using fixture = await DriverFixture.start();
    const hard = await isHard(fixture, "memoryBytes");
    const limits = { memoryBytes: 128 * MIB, diskBytes: 200 * MIB };
    const vm = await fixture.create({ limits, requiredLimits: ["diskBytes"] });
    const held = hard ? 96 * MIB : 200 * MIB;
    expect(vm.limits.diskBytes).toEqual({ value: held, enforcement: "hard" });
    const hits = listened(vm);
    const { exit, stderr } = await run(vm, ["dd", "if=/dev/zero", "of=/workspace/x", "bs=64k"]);
    expect(exit.exitCode).toBe(1);
    expect(stderr).toContain("No space left");
    const { memoryBytes, diskBytes } = await vm.stats();
    expect(diskBytes).toBeGreaterThan(held * 0.9);
    // The disk is in memory.
    expect(memoryBytes ?? 0).toBeGreaterThan(hard ? held * 0.9 : -1);
    expect([...new Set(hits.map(({ limit }) => limit))]).toEqual(["diskBytes"]);
    expect((await run(vm, ["rm", "/workspace/x"])).exit.exitCode).toBe(0);
  });
});

describe("what is required", () => {
  test("it is had where the report says hard, else refused with the reason", async () => {
    await using fixture = await DriverFixture.start();
    const report = await fixture.driver.probe();
    for (const limit of ["memoryBytes", "cpus"] as const) {
      const limits = { memoryBytes: 256 * MIB, cpus: 1 };
      const creating = fixture.create({ limits, requiredLimits: [limit] });
      // oxlint-disable-next-line no-await-in-loop
      const failure = await creating.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(isAgentOsError(failure, "UNSUPPORTED_LIMIT")).toBe(report.limits[limit] !== "hard");
      expect(String(failure)).toMatch(/^undefined$|it takes a cgroup: .*(EACCES|EROFS|EBUSY|no )/);
    }
  });
});

describe("freezing", () => {
  test("programs stop, the VM still answers, and it can be ended as it is", async () => {
    await using fixture = await DriverFixture.start();
    const vm = await fixture.create();
    const script = "while :; do echo x >> /workspace/ticks; sleep 0.01; done";
    const ticking = await vm.startProcess(
      processRequest(vm, ["sh", "-c", script]),
      new CollectingSink(),
    );
    const ticks = async (): Promise<number> =>
      (await vm.files.stat("/workspace/ticks").catch(() => ({ size: 0 }))).size;
    await expect.poll(ticks, { timeout: 10_000 }).toBeGreaterThan(0);
    await vm.freeze(true);
    await vm.ping();
    const frozenAt = await ticks();
    expect((await run(vm, ["echo", "not frozen"])).stdout).toBe("not frozen\n");
    expect(await ticks()).toBe(frozenAt);
    await vm.freeze(false);
    await expect.poll(ticks, { timeout: 10_000 }).toBeGreaterThan(frozenAt);
    await vm.freeze(true);
    ticking.signal("SIGKILL", "process");
    expect(await ticking.exited).toMatchObject({ signal: "SIGKILL" });
    await vm.startProcess(processRequest(vm, ["sleep", "1000"]), new CollectingSink());
    await vm.freeze(true);
    await vm[Symbol.asyncDispose]();
    expect(await vm.ended).toEqual({ kind: "ended" });
  });
});

test("no cgroup of a VM or of its driver outlives them", async () => {
  const before = await ownCgroups();
  const fixture = await DriverFixture.start();
  const vms = await Promise.all(
    Array.from({ length: 10 }, () => fixture.create({ limits: { memoryBytes: 64 * MIB } })),
  );
  const hard = await isHard(fixture, "memoryBytes");
  expect((await ownCgroups()).length > before.length).toBe(hard);
  await Promise.all(vms.map((vm) => run(vm, ["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"])));
  await Promise.all(vms.slice(5).map((vm) => vm[Symbol.asyncDispose]()));
  await fixture[Symbol.asyncDispose]();
  expect(await ownCgroups()).toEqual(before);
});

/** Directories of VMs that this process made. */
async function ownCgroups(): Promise<string[]> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  const points = mounts
    .split("\n")
    .filter((line) => / cgroup2? /.test(line))
    .map((line) => line.split(" ")[1] ?? "");
  const names = await Promise.all(
    points.map((point) => readdir(point, { recursive: true }).catch(() => [])),
  );
  return names.flat().filter((name) => name.includes(`/agentos-${process.pid}-`));
}
