import { expect, test } from "vitest";

import { FakeDriver } from "../src/fake-driver.ts";
import { vmRequest } from "./start-vm.ts";

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
