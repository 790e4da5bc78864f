import { encodeFrame, FRAME_KIND } from "@agentos/protocol";
import { expect, test } from "vitest";

import { FakeDriver } from "../src/fake-driver.ts";
import { RecordingSink } from "../src/recording-sink.ts";
import { processRequest, vmRequest } from "./start-vm.ts";

const { signal } = new AbortController();

test("a created VM is listed until it is disposed", async () => {
  const driver = new FakeDriver();
  const vm = await driver.create(vmRequest(), { signal });
  expect(driver.vm("vm-1")).toBe(vm);
  await vm[Symbol.asyncDispose]();
  expect(await vm.ended).toEqual({ kind: "ended" });
  expect(driver.vms).toEqual([]);
});

test("a driver told to be unavailable says so and creates nothing", async () => {
  const driver = new FakeDriver({ unavailable: { reason: "no", remedy: "buy" } });
  expect(await driver.probe()).toMatchObject({ available: false, reason: "no", remedy: "buy" });
  await expect(driver.create(vmRequest(), { signal })).rejects.toMatchObject({
    code: "DRIVER_UNAVAILABLE",
  });
});

test("an unknown image and a limit that can't be hard are refused", async () => {
  const driver = new FakeDriver({ enforcement: "soft" });
  await expect(driver.create(vmRequest({ image: "x" }), { signal })).rejects.toMatchObject({
    code: "IMAGE_NOT_FOUND",
    details: { image: "x", known: ["host"] },
  });
  await expect(
    driver.create(vmRequest({ requiredLimits: ["pids"] }), { signal }),
  ).rejects.toMatchObject({
    code: "UNSUPPORTED_LIMIT",
    details: { limit: "pids", offered: "soft" },
  });
});

test("a create cancelled while it waits leaves no VM", async () => {
  const gate = Promise.withResolvers<void>();
  const driver = new FakeDriver({ onCreate: () => gate.promise });
  const controller = new AbortController();
  const created = driver.create(vmRequest(), { signal: controller.signal });
  controller.abort();
  gate.resolve();
  await expect(created).rejects.toMatchObject({ code: "CANCELLED" });
  expect(driver.vms).toEqual([]);
});

test("disposing the driver ends its VMs", async () => {
  const driver = new FakeDriver();
  const vm = await driver.create(vmRequest(), { signal });
  await driver[Symbol.asyncDispose]();
  await expect(vm.ping()).rejects.toMatchObject({ code: "VM_ENDED" });
});

test("a driver of another life adopts a VM, and its processes' bytes come once", async () => {
  const earlier = new FakeDriver();
  const vm = await earlier.create(vmRequest(), { signal });
  const first = new RecordingSink();
  await vm.startProcess(processRequest(["cat"], { stdin: "pipe" }), first);
  const driver = new FakeDriver({ earlier });
  const { handle, processes } = await driver.adopt(vmRequest(), vm.record, { signal });
  expect([earlier.vms, driver.vms]).toEqual([[], [handle]]);
  const [adopted] = processes;
  if (adopted === undefined) throw new Error("expected a process");
  expect(adopted).toMatchObject({ processId: "p-1", output: "piped", state: "running" });
  const sink = new RecordingSink();
  adopted.attach(sink);
  await expect(adopted.process.resume({ stdout: 1, stderr: 0 })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  await adopted.process.resume({ stdout: 0, stderr: 0 });
  adopted.process.send(encodeFrame(FRAME_KIND.dataIn, 0, 0, Buffer.from("hi")));
  adopted.process.send(encodeFrame(FRAME_KIND.eofIn, 0, 2));
  expect(await adopted.process.exited).toMatchObject({ exitCode: 0, stdoutBytes: 2 });
  // Another reader of the same, who has one byte.
  const again = new RecordingSink();
  adopted.attach(again);
  await adopted.process.resume({ stdout: 1, stderr: 0 });
  await new Promise(setImmediate);
  expect([String(sink.stdout), String(again.stdout)]).toEqual(["hi", "i"]);
  await driver[Symbol.asyncDispose]();
  const gone = driver.adopt(vmRequest(), vm.record, { signal });
  await expect(gone).rejects.toMatchObject({ code: "VM_ENDED" });
});

test("a VM is frozen, emptied, measured, and tells of limits", async () => {
  const vm = await new FakeDriver().create(vmRequest(), { signal });
  const request = processRequest(["cat"], { stdin: "pipe" });
  const started = await vm.startProcess(request, new RecordingSink());
  await vm.freeze(true);
  expect([vm.isFrozen, (await vm.stats()).processes]).toEqual([true, 2]);
  await vm.killProcesses();
  expect(await started.exited).toMatchObject({ signal: "SIGKILL" });
  const hits: unknown[] = [];
  const stop = vm.onLimit((hit) => hits.push(hit));
  vm.hitLimit({ limit: "pids", value: 5 });
  stop();
  vm.hitLimit({ limit: "pids", value: 5 });
  expect(hits).toEqual([{ limit: "pids", value: 5 }]);
});
