import { FakeDriver } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { TestSidecar } from "./sidecar-harness.ts";

describe("a shared sidecar", () => {
  test("ends itself when nobody used it for the idle time, also when nobody ever did", async () => {
    await using world = await TestSidecar.start({ pool: "p", idleMs: 1_000 });
    world.clock.advance(999);
    await using client = await world.connect();
    world.clock.advance(1);
    await expect(client.event("sidecar.closing")).resolves.toEqual({ reason: "nobody used it" });
    await world.sidecar.closed;
  });

  test("stays while there is a VM, and counts from the last one's end", async () => {
    await using world = await TestSidecar.start({ pool: "p", idleMs: 1_000 });
    await using client = await world.connect();
    const { lease } = await client.create();
    world.clock.advance(5_000);
    await client.peer.request("lease.release", lease);
    world.clock.advance(999);
    await expect(client.peer.request("ping", {})).resolves.toEqual({});
    const next = await client.create();
    world.clock.advance(5_000);
    await client.peer.request("lease.release", next.lease);
    world.clock.advance(1_000);
    await expect(client.event("sidecar.closing")).resolves.toEqual({ reason: "nobody used it" });
    await world.sidecar.closed;
  });

  test("stays while a VM is being made, and while a named one is kept", async () => {
    const gate = Promise.withResolvers<void>();
    await using world = await TestSidecar.start({
      pool: "p",
      idleMs: 1_000,
      fake: { onCreate: () => gate.promise },
    });
    await using client = await world.connect();
    const creating = client.create({ name: "kept" });
    await client.peer.request("ping", {});
    world.clock.advance(5_000);
    gate.resolve();
    await client.peer.request("lease.release", (await creating).lease);
    world.clock.advance(5_000);
    await expect(client.peer.request("sidecar.info", {})).resolves.toMatchObject({
      vms: 1,
      leases: 0,
    });
  });

  test("a VM that is stuck at its end does not keep it", async () => {
    const stuck = new FakeDriver({ name: "linux" });
    const never = Promise.withResolvers<void>();
    const driver = {
      name: stuck.name,
      probe: () => stuck.probe(),
      create: async (...args: Parameters<FakeDriver["create"]>) => {
        const vm = await stuck.create(...args);
        const { vmId, isolation, limits, environment, files, ended } = vm;
        return {
          vmId,
          isolation,
          limits,
          environment,
          files,
          ended,
          startProcess: vm.startProcess.bind(vm),
          openLog: vm.openLog.bind(vm),
          processes: () => vm.processes(),
          ping: () => vm.ping(),
          record: undefined,
          freeze: vm.freeze.bind(vm),
          killProcesses: () => vm.killProcesses(),
          stats: () => vm.stats(),
          onLimit: vm.onLimit.bind(vm),
          setLimits: vm.setLimits.bind(vm),
          [Symbol.asyncDispose]: () => never.promise.then(() => vm[Symbol.asyncDispose]()),
        };
      },
      adopt: (...args: Parameters<FakeDriver["adopt"]>) => stuck.adopt(...args),
      [Symbol.asyncDispose]: async () => never.resolve(),
    };
    await using world = await TestSidecar.start({ pool: "p", idleMs: 1_000, drivers: [driver] });
    await using client = await world.connect();
    const { lease } = await client.create();
    client.peer.request("lease.release", lease).catch(() => undefined);
    await client.peer.request("ping", {});
    world.clock.advance(1_000);
    await expect(client.event("sidecar.closing")).resolves.toEqual({ reason: "nobody used it" });
    never.resolve();
    await world.sidecar.closed;
  });

  test("is kept when it is told so, until it is told otherwise", async () => {
    await using world = await TestSidecar.start({ pool: "p", idleMs: 1_000 });
    await using client = await world.connect();
    await client.peer.request("sidecar.keep", { keep: true });
    world.clock.advance(100_000);
    await expect(client.peer.request("sidecar.info", {})).resolves.toMatchObject({
      keep: true,
      pool: "p",
      vms: 0,
    });
    await client.peer.request("sidecar.keep", { keep: false });
    world.clock.advance(1_000);
    await world.sidecar.closed;
  });

  test("an explicit one never ends for idleness", async () => {
    await using world = await TestSidecar.start({ idleMs: 1 });
    await using client = await world.connect();
    world.clock.advance(1_000_000);
    await expect(client.peer.request("ping", {})).resolves.toEqual({});
  });

  test("a second one of the pool is told to go elsewhere", async () => {
    await using world = await TestSidecar.start({ pool: "p" });
    const run = {
      stateDirectory: `${world.directory}/state`,
      runtimeDirectory: `${world.directory}/run`,
    };
    await expect(TestSidecar.start({ pool: "p", ...run })).rejects.toThrow("another sidecar");
  });
});
