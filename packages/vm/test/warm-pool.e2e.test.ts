import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { VmRequest } from "@agentos/core";
import { describe, expect, test } from "vitest";

import { hostProcesses } from "./host-processes.ts";
import { DriverFixture, run, vmRequest } from "./linux-vm-fixture.ts";

/** The pids of VMs and of nothing else below this process. */
async function initsOf(): Promise<number[]> {
  const pids = await hostProcesses();
  const named = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => "");
      return /^NSpid:\t\d+\t1$/m.test(status) ? [pid] : [];
    }),
  );
  return named.flat();
}

/** Those that have had their configuration: their calls are filtered. */
async function sealedOf(): Promise<number[]> {
  const inits = await initsOf();
  const sealed = await Promise.all(
    inits.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => "");
      return /^Seccomp:\t2$/m.test(status) ? [pid] : [];
    }),
  );
  return sealed.flat();
}

/** The CPU time of each VM's first process. */
async function ticksOf(): Promise<string[]> {
  const inits = await initsOf();
  return Promise.all(
    inits.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "latin1");
      return stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14).join(" ");
    }),
  );
}

async function poolOf(size: number): Promise<DriverFixture> {
  const fixture = await DriverFixture.start({ warmPoolSize: size });
  await expect.poll(initsOf, { timeout: 10_000 }).toHaveLength(size);
  return fixture;
}

test("a create takes a VM that waits, and another one is started for it", async () => {
  await using fixture = await poolOf(2);
  const waiting = await initsOf();
  const vm = await fixture.create({ limits: { pids: 77, diskBytes: 2 ** 20 } });
  // Its own limits hold, although they were not known when it was started.
  const { stdout } = await run(vm, ["sh", "-c", "cat /proc/self/limits; df -k /workspace"]);
  expect(stdout).toMatch(/^Max processes +7[78] /m);
  expect(stdout).toMatch(/ 1024 .*\/workspace$/m);
  await expect.poll(async () => (await initsOf()).length, { timeout: 10_000 }).toBe(3);
  const now = await initsOf();
  expect(waiting.filter((pid) => now.includes(pid))).toHaveLength(2);
  await vm[Symbol.asyncDispose]();
  expect(await initsOf()).toHaveLength(2);
});

test("a mount that can't be had is the request's fault, with a pool as well", async () => {
  await using fixture = await poolOf(1);
  const mount = { kind: "memory", target: "/usr/x" } as const;
  await expect(fixture.create({ mounts: [mount] })).rejects.toMatchObject({
    code: "MOUNT_REFUSED",
  });
  const vm = await fixture.create({ mounts: [{ ...mount, target: "/data" }] });
  expect((await run(vm, ["ls", "-d", "/data"])).stdout).toBe("/data\n");
});

test("a pooled VM that died is replaced, and a create goes on without it", async () => {
  await using fixture = await poolOf(1);
  const [init = 0] = await initsOf();
  process.kill(init, "SIGKILL");
  const vm = await fixture.create();
  expect((await run(vm, ["echo", "hi"])).stdout).toBe("hi\n");
  await expect.poll(async () => (await initsOf()).length, { timeout: 10_000 }).toBe(2);
});

test("50 creates at once come from where they can", async () => {
  await using fixture = await poolOf(2);
  const vms = await Promise.all(Array.from({ length: 50 }, () => fixture.create()));
  const said = await Promise.all(vms.map((vm) => run(vm, ["echo", vm.vmId])));
  expect(said.map(({ stdout }) => stdout)).toEqual(vms.map(({ vmId }) => `${vmId}\n`));
});

test("a create that is given up gives its pooled VM back to nobody", async () => {
  await using fixture = await poolOf(1);
  const controller = new AbortController();
  const creating = fixture.driver.create(vmRequest(), { signal: controller.signal });
  setImmediate(() => controller.abort());
  const vm = await creating.catch(() => undefined);
  await vm?.[Symbol.asyncDispose]();
  await expect.poll(async () => (await initsOf()).length, { timeout: 10_000 }).toBe(1);
});

/** What a request of that kind finds waiting. */
async function spareOf(fixture: DriverFixture, change: Partial<VmRequest>): Promise<number> {
  const vms = [await fixture.create(change), await fixture.create(change)];
  await Promise.all(vms.map((vm) => vm[Symbol.asyncDispose]()));
  await expect.poll(sealedOf, { timeout: 10_000 }).toHaveLength(1);
  const [spare = 0] = await sealedOf();
  return spare;
}

describe("a spare VM", () => {
  test("is sealed for what was asked for twice in a row, and is the next one's", async () => {
    const limits = { pids: 77, diskBytes: 2 ** 20 };
    await using fixture = await poolOf(1);
    const spare = await spareOf(fixture, { limits });
    const vm = await fixture.create({ limits });
    expect(await sealedOf()).toContain(spare);
    const { stdout } = await run(vm, ["sh", "-c", "cat /proc/self/limits; df -k /workspace"]);
    expect(stdout).toMatch(/^Max processes +7[78] /m);
    expect(stdout).toMatch(/ 1024 .*\/workspace$/m);
    await vm[Symbol.asyncDispose]();
    expect(await sealedOf()).not.toContain(spare);
  });

  test("is not for another request, and goes when another is asked for twice", async () => {
    await using fixture = await poolOf(1);
    const spare = await spareOf(fixture, { limits: { pids: 77 } });
    const limits = { pids: 55 };
    const other = await fixture.create({ limits });
    await other[Symbol.asyncDispose]();
    expect(await sealedOf()).toEqual([spare]);
    await using again = await fixture.create({ limits });
    const { stdout } = await run(again, ["cat", "/proc/self/limits"]);
    expect(stdout).toMatch(/^Max processes +5[56] /m);
    await expect.poll(async () => (await sealedOf()).includes(spare)).toBe(false);
  });

  test("that died is replaced, and a create goes on without it", async () => {
    await using fixture = await poolOf(1);
    const spare = await spareOf(fixture, {});
    process.kill(spare, "SIGKILL");
    await expect.poll(sealedOf, { timeout: 10_000 }).not.toContain(spare);
    const vm = await fixture.create();
    expect((await run(vm, ["echo", "hi"])).stdout).toBe("hi\n");
    await expect.poll(sealedOf, { timeout: 10_000 }).toHaveLength(2);
  });
});

test("an idle pool uses no CPU", async () => {
  await using fixture = await poolOf(2);
  const before = await ticksOf();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await ticksOf()).toEqual(before);
  expect(await readdir(join(fixture.folder, "run"))).toHaveLength(3);
});

test("the pool goes with its driver", async () => {
  const fixture = await poolOf(2);
  await fixture[Symbol.asyncDispose]();
  expect(await initsOf()).toEqual([]);
});
