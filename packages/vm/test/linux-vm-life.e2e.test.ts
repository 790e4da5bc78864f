import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { VmHandle, VmRecord } from "@agentos/core";
import { encodeFrame, FRAME_KIND } from "@agentos/protocol";
import { expect, test } from "vitest";

import { CollectingSink } from "./collecting-sink.ts";
import { isHostProcess } from "./host-processes.ts";
import { DriverFixture, processRequest, run, vmRequest } from "./linux-vm-fixture.ts";

const linkKey = new Uint8Array(32).fill(5);
const adoptable = { linkKey, adoptGraceMs: 30_000 };

/** The state letters of the processes that run `command`. */
async function statesOf(vm: VmHandle, command: string): Promise<string[]> {
  const { processes } = await vm.processes();
  return processes.filter((info) => info.command === command).map(({ state }) => state);
}

function recordOf(vm: VmHandle): VmRecord {
  if (vm.record === undefined) throw new Error("expected a record");
  return vm.record;
}

test("freezing stops every process, and nothing else", async () => {
  await using fixture = await DriverFixture.start();
  const vm = await fixture.create();
  const sink = new CollectingSink();
  const ticking = "while :; do echo x; sleep 0.01; done";
  const started = await vm.startProcess(processRequest(vm, ["sh", "-c", ticking]), sink);
  sink.attach(started);
  await expect.poll(() => sink.text().length).toBeGreaterThan(10);
  await vm.freeze(true);
  await vm.ping();
  const before = sink.text().length;
  // Its files can be reached meanwhile, by its first process.
  expect((await vm.files.stat("/workspace")).type).toBe("directory");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(sink.text().length - before).toBeLessThanOrEqual(2);
  await vm.freeze(false);
  await expect.poll(() => sink.text().length).toBeGreaterThan(before + 10);
  await vm.freeze(true);
  await vm.killProcesses();
  expect(await started.exited).toMatchObject({ signal: "SIGKILL" });
});

test("killing the processes leaves the files", async () => {
  await using fixture = await DriverFixture.start();
  const vm = await fixture.create();
  const command = "echo kept > /workspace/file; setsid sleep 1000 & sleep 1000";
  const started = await vm.startProcess(
    processRequest(vm, ["sh", "-c", command]),
    new CollectingSink(),
  );
  await expect.poll(() => statesOf(vm, "sleep 1000")).toHaveLength(2);
  await vm.killProcesses();
  expect(await started.exited).toMatchObject({ signal: "SIGKILL" });
  await expect.poll(() => statesOf(vm, "sleep 1000")).toEqual([]);
  expect((await run(vm, ["cat", "/workspace/file"])).stdout).toBe("kept\n");
});

test("what a VM uses shows", async () => {
  await using fixture = await DriverFixture.start();
  const vm = await fixture.create();
  const before = await vm.stats();
  expect(before.processes).toBe(1);
  await run(vm, ["dd", "if=/dev/zero", "of=/workspace/x", "bs=1M", "count=8"]);
  const after = await vm.stats();
  expect((after.diskBytes ?? 0) - (before.diskBytes ?? 0)).toBeGreaterThanOrEqual(8 * 2 ** 20);
  expect(after.memoryBytes).toBeGreaterThan(0);
});

test("another reader of a live process goes on from what it has", async () => {
  await using fixture = await DriverFixture.start();
  const vm = await fixture.create();
  const sink = new CollectingSink();
  // Never acknowledges, so that all of it can be asked for again.
  const command = "seq 1 1000; cat >/dev/null; seq 1001 2000; exit 4";
  const started = await vm.startProcess(
    processRequest(vm, ["sh", "-c", command], { stdin: "pipe" }),
    sink,
  );
  await expect.poll(() => sink.text()).toMatch(/\n1000\n$/);
  const first = sink.text();
  for (const beyond of [1_000_000, first.length + 1]) {
    // oxlint-disable-next-line no-await-in-loop
    await expect(started.resume({ stdout: beyond, stderr: 0 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { argument: "received" },
    });
  }
  await started.resume({ stdout: first.length, stderr: 0 });
  started.send(encodeFrame(FRAME_KIND.eofIn, 0, 0));
  sink.attach(started);
  const exit = await started.exited;
  expect(exit.exitCode).toBe(4);
  sink.total(0, exit.stdoutBytes);
  sink.total(1, exit.stderrBytes);
  await sink.complete();
  expect(sink.text()).toBe(Array.from({ length: 2000 }, (_, at) => `${at + 1}\n`).join(""));
  started.close();
});

test("a sidecar of a later epoch takes a VM over, and the earlier one leaves it alone", async () => {
  const first = await DriverFixture.start({ ...adoptable, epoch: 1 });
  await using second = await DriverFixture.start({ ...adoptable, epoch: 2 });
  const request = vmRequest();
  const vm = await first.driver.create(request, { signal: AbortSignal.timeout(30_000) });
  const record = recordOf(vm);
  const signal = AbortSignal.timeout(30_000);
  const { handle } = await second.driver.adopt(request, record, { signal });
  expect(await vm.ended).toEqual({ kind: "died", detail: "another sidecar took it over" });
  await expect(vm.ping()).rejects.toMatchObject({ code: "VM_ENDED" });
  await first.driver[Symbol.asyncDispose]();
  expect((await run(handle, ["echo", "alive"])).stdout).toBe("alive\n");
  expect(handle.record).toEqual(record);
  await expect(second.driver.adopt(request, record, { signal })).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
  });
  await handle[Symbol.asyncDispose]();
  expect(await isHostProcess(Number(record["pid"]))).toBe(false);
  await expect.poll(() => readdir(join(first.folder, "run")).catch(() => [])).toEqual([]);
  await first[Symbol.asyncDispose]();
});

test("an adopted VM outlives the spawner that made it, and is ended without it", async () => {
  await using first = await DriverFixture.start({ ...adoptable, epoch: 1 });
  await using second = await DriverFixture.start({ ...adoptable, epoch: 2 });
  const request = vmRequest();
  const signal = AbortSignal.timeout(30_000);
  const vm = await first.driver.create(request, { signal });
  const record = recordOf(vm);
  const { handle } = await second.driver.adopt(request, record, { signal });
  await vm.ended;
  await first.driver[Symbol.asyncDispose]();
  process.kill(await parentOf(Number(record["pid"])), "SIGKILL");
  expect((await run(handle, ["echo", "alive"])).stdout).toBe("alive\n");
  await handle[Symbol.asyncDispose]();
  expect(await isHostProcess(Number(record["pid"]))).toBe(false);
});

test("a record that is none is refused by the name of its fault", async () => {
  await using fixture = await DriverFixture.start(adoptable);
  const vm = await fixture.create();
  const signal = AbortSignal.timeout(30_000);
  const adopt = (change: Record<string, string | number>) =>
    fixture.driver.adopt(vmRequest(), { ...recordOf(vm), ...change }, { signal });
  await expect(adopt({ version: 2 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(adopt({ cgroups: "x" })).rejects.toMatchObject({
    details: { argument: "record.cgroups" },
  });
  await expect(adopt({ pid: -1 })).rejects.toMatchObject({ details: { argument: "record.pid" } });
});

test("a driver without a key makes VMs that can't be adopted", async () => {
  await using fixture = await DriverFixture.start();
  expect((await fixture.create()).record).toBeUndefined();
});

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}
