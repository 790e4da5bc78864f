import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";

describe("vm and lease handlers", () => {
  test("nothing but authenticate and ping is answered before authenticate", async () => {
    await using world = await TestSidecar.start();
    await using client = world.connectRaw();
    await expect(client.peer.request("vm.list", {})).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
    });
    await client.peer.request("ping", {});
    await client.authenticate();
    await expect(client.peer.request("vm.list", {})).resolves.toEqual({ vms: [] });
  });

  test("[bad.version] a version range without a common version is VERSION_MISMATCH with the supported range", async () => {
    await using world = await TestSidecar.start();
    await using client = world.connectRaw();
    const params = { protocol: { min: 7, max: 9 }, client: { name: "t", version: "1" } };
    await expect(client.peer.request("authenticate", params)).rejects.toMatchObject({
      code: "VERSION_MISMATCH",
      details: { offered: "7-9", supported: "1" },
    });
    await expect(client.peer.request("vm.list", {})).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
    });
  });

  test("create leases a VM and says everything about it", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const { lease, vm } = await client.create({
      vmId: "vm-a",
      name: "my-vm",
      limits: { pids: 5, wallMs: 99 },
    });
    expect(lease).toEqual({ leaseId: expect.any(String), vmId: "vm-a", fence: 1, ttlMs: 15_000 });
    expect(vm).toMatchObject({
      vmId: "vm-a",
      name: "my-vm",
      driver: "fake",
      image: "host",
      limits: {
        pids: { value: 5, enforcement: "hard" },
        openFiles: { value: 8_192, enforcement: "hard" },
        watches: { value: 65_536, enforcement: "hard" },
        wallMs: { value: 99, enforcement: "hard" },
      },
      sidecarId: "test-sidecar",
      sidecarPid: process.pid,
      epoch: 1,
      fence: 1,
      leases: 1,
    });
    expect(world.driver.vm("vm-a").request.limits).not.toHaveProperty("wallMs");
  });

  test("the same create again, at once or later, is the same VM; another spec is refused", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const request = { vmId: "vm-a", leaseId: "l1", env: { A: "1" } };
    const both = await Promise.all([client.create(request), client.create(request)]);
    expect(both[0]).toEqual(both[1]);
    await expect(client.create(request)).resolves.toEqual(both[0]);
    expect(world.driver.vms).toHaveLength(1);
    await expect(client.create({ ...request, env: { A: "2" } })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
  });

  test("the last release ends an unnamed VM and its id answers VM_ENDED", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const { lease } = await client.create();
    await client.peer.request("lease.release", lease);
    expect(world.driver.vms).toEqual([]);
    await expect(client.peer.request("vm.info", lease)).rejects.toMatchObject({
      code: "VM_ENDED",
      details: { vmId: lease.vmId, reason: "released" },
    });
    await expect(client.create({ vmId: lease.vmId })).rejects.toMatchObject({ code: "VM_ENDED" });
  });

  test("a named VM outlives its leases and is found by its name", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const { lease } = await client.create({ name: "kept" });
    await client.peer.request("lease.release", lease);
    expect(world.driver.vms).toHaveLength(1);
    const again = await client.peer.request("vm.attach", {
      vm: "kept",
      leaseId: "l2",
      mode: "shared",
    });
    expect(again.vm.vmId).toBe(lease.vmId);
    await expect(client.create({ name: "kept" })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      details: { id: "kept" },
    });
  });

  test("a named VM without a lease loses its processes after ten minutes", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const { lease } = await client.create({ name: "kept" });
    const { vmId, fence } = lease;
    const { stream } = client.openStream();
    await client.peer.request("process.spawn", {
      vmId,
      fence,
      stream,
      processId: "p",
      argv: ["sleep"],
      output: "logged",
    });
    await client.peer.request("lease.release", lease);
    world.clock.advance(599_999);
    expect(world.driver.vm(vmId).running).toHaveLength(1);
    world.clock.advance(1);
    await expect.poll(() => world.driver.vm(vmId).running).toHaveLength(0);
  });

  test("a shared attach keeps the VM when the first lease goes", async () => {
    await using world = await TestSidecar.start();
    await using first = await world.connect();
    await using second = await world.connect();
    const { lease } = await first.create();
    const attached = await second.peer.request("vm.attach", {
      vm: lease.vmId,
      leaseId: "l2",
      mode: "shared",
    });
    expect(attached).toMatchObject({ lease: { fence: 1 }, vm: { leases: 2 } });
    await first.peer.request("lease.release", lease);
    await expect(second.peer.request("vm.info", attached.lease)).resolves.toMatchObject({
      leases: 1,
    });
    await expect(first.peer.request("vm.info", lease)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a takeover fences the others off, for requests, processes and open streams", async () => {
    await using world = await TestSidecar.start();
    await using first = await world.connect();
    await using second = await world.connect();
    const { lease } = await first.create();
    const running = first.exec(lease, ["sleep"]);
    await first.peer.request("vm.info", lease);
    const taken = await second.peer.request("vm.attach", {
      vm: lease.vmId,
      leaseId: "l2",
      mode: "takeover",
    });
    expect(taken.lease.fence).toBe(2);
    await expect(first.event("lease.fenced")).resolves.toEqual({
      vmId: lease.vmId,
      leaseId: lease.leaseId,
      currentFence: 2,
    });
    await expect(first.peer.request("vm.info", lease)).rejects.toMatchObject({
      code: "FENCED",
      details: { vmId: lease.vmId, fence: 1, currentFence: 2 },
    });
    await expect(first.exec(lease, ["true"]).exit).rejects.toMatchObject({ code: "FENCED" });
    await expect(running.exit).resolves.toMatchObject({ outcome: "cancelled", signal: "SIGKILL" });
    await expect(first.peer.request("lease.resume", lease)).rejects.toMatchObject({
      code: "FENCED",
    });
    const again = await second.peer.request("vm.attach", {
      vm: lease.vmId,
      leaseId: "l2",
      mode: "takeover",
    });
    expect(again.lease.fence).toBe(2);
  });

  test("a lost connection's VM lives through the grace, and ends after it", async () => {
    await using world = await TestSidecar.start({ leaseGraceMs: 1_000 });
    const client = await world.connect();
    const { lease } = await client.create();
    await client[Symbol.asyncDispose]();
    await using other = await world.connect();
    world.clock.advance(999);
    expect(world.driver.vms).toHaveLength(1);
    world.clock.advance(1);
    await expect(other.peer.request("lease.resume", lease)).rejects.toMatchObject({
      code: "VM_ENDED",
    });
    await world.sidecar.close("to see that the end is over");
    expect(world.driver.vms).toEqual([]);
  });

  test("a lease is resumed on another connection, and its processes went on", async () => {
    await using world = await TestSidecar.start({ leaseGraceMs: 1_000 });
    const client = await world.connect();
    const { lease } = await client.create();
    client.exec(lease, ["sleep"], { processId: "long" });
    await client.peer.request("ping", {});
    await client[Symbol.asyncDispose]();
    await using next = await world.connect();
    await expect(next.peer.request("lease.resume", lease)).resolves.toEqual(lease);
    world.clock.advance(10_000);
    const { vmId, fence } = lease;
    const list = await next.peer.request("process.list", { vmId, fence });
    expect(list.processes).toMatchObject([{ processId: "long", state: "running" }]);
    const repeated = next.exec(lease, ["sleep"], { processId: "long" });
    await next.peer.request("process.signal", {
      vmId,
      fence,
      processId: "long",
      signal: "SIGTERM",
    });
    await expect(repeated.exit).resolves.toMatchObject({ outcome: "signaled", signal: "SIGTERM" });
  });

  test("a connection lost during create leaves a lease in its grace, not a VM for ever", async () => {
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const onCreate = async () => (entered.resolve(), await gate.promise);
    await using world = await TestSidecar.start({ leaseGraceMs: 1_000, fake: { onCreate } });
    const client = await world.connect();
    const request = { vmId: "vm-a", leaseId: "l1" };
    client.create(request).catch(() => undefined);
    await entered.promise;
    await client[Symbol.asyncDispose]();
    gate.resolve();
    await using next = await world.connect();
    const { lease } = await next.create(request);
    expect(world.driver.vms).toHaveLength(1);
    world.clock.advance(5_000);
    await expect(next.peer.request("vm.info", lease)).resolves.toMatchObject({ leases: 1 });
  });

  test("a cancelled create leaves nothing, and its id can be used again", async () => {
    const entered = Promise.withResolvers<void>();
    let isFirst = true;
    const onCreate = async (_request: unknown, signal: AbortSignal) => {
      if (!isFirst) return;
      isFirst = false;
      entered.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    };
    await using world = await TestSidecar.start({ fake: { onCreate }, maxVms: 1 });
    await using client = await world.connect();
    const controller = new AbortController();
    const request = { vmId: "vm-a", leaseId: "l1" };
    const given = client.peer.request("vm.create", request, { signal: controller.signal });
    await entered.promise;
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: "CANCELLED" });
    await expect.poll(() => world.sidecar.parts.host.vmCount).toBe(0);
    await expect(client.create(request)).resolves.toMatchObject({ lease: { fence: 1 } });
  });

  test("past the bound a create is POOL_EXHAUSTED, and a slot is free again after an end", async () => {
    await using world = await TestSidecar.start({ maxVms: 1, waitingCreates: 0 });
    await using client = await world.connect();
    const { lease } = await client.create();
    await expect(client.create()).rejects.toMatchObject({
      code: "POOL_EXHAUSTED",
      details: { limit: "maxVms", capacity: 1, waiting: 0 },
    });
    await client.peer.request("lease.release", lease);
    await client.create();
  });

  test("a VM that dies is told, and everything on it answers VM_ENDED", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const { lease } = await client.create();
    const running = client.exec(lease, ["sleep"]);
    await client.peer.request("ping", {});
    world.driver.vm(lease.vmId).die("out of memory");
    await expect(running.exit).rejects.toMatchObject({ code: "VM_ENDED" });
    await expect(client.event("vm.ended")).resolves.toEqual({
      vmId: lease.vmId,
      reason: "died",
      detail: "out of memory",
    });
    await expect(client.peer.request("vm.processes", lease)).rejects.toMatchObject({
      code: "VM_ENDED",
    });
  });

  test("a VM ends when its wallMs is over", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    await client.create({ limits: { wallMs: 1_000 } });
    world.clock.advance(1_000);
    await expect(client.event("vm.ended")).resolves.toMatchObject({ reason: "expired" });
  });

  test("drivers: auto, by name, unknown, unavailable, unknown image", async () => {
    await using world = await TestSidecar.start({ fake: { name: "linux" } });
    await using client = await world.connect();
    await expect(client.create({ driver: "auto" })).resolves.toMatchObject({
      vm: { driver: "linux" },
    });
    await expect(client.create({ driver: "linux" })).resolves.toMatchObject({
      vm: { driver: "linux" },
    });
    await expect(client.create({ driver: "vbox" })).rejects.toMatchObject({
      code: "UNKNOWN_DRIVER",
      details: { driver: "vbox", known: ["linux"] },
    });
    await expect(client.create({ image: "nope" })).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
    });
    await using none = await TestSidecar.start({ drivers: [] });
    await using other = await none.connect();
    await expect(other.create()).rejects.toMatchObject({ code: "DRIVER_UNAVAILABLE" });
  });

  test("auto never takes the virtual driver", async () => {
    await using world = await TestSidecar.start({ fake: { name: "virtual" } });
    await using client = await world.connect();
    await expect(client.create()).rejects.toMatchObject({ code: "DRIVER_UNAVAILABLE" });
    await expect(client.create({ driver: "virtual" })).resolves.toMatchObject({
      vm: { driver: "virtual" },
    });
  });

  test("an error of the driver that is not ours reaches the log, and the client only INTERNAL", async () => {
    const error = new Error("/secret/host/path is broken");
    await using world = await TestSidecar.start({
      fake: { onCreate: () => Promise.reject(error) },
    });
    await using client = await world.connect();
    const seen: unknown = await client.create().catch((caught: unknown) => caught);
    expect(seen).toMatchObject({ code: "INTERNAL" });
    expect(JSON.stringify([seen, String(seen)])).not.toContain("/secret");
    expect(JSON.stringify(world.log.lines)).toContain("/secret/host/path is broken");
  });

  test("a sidecar that ends tells everyone, ends every VM, and takes no more", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    await client.create();
    await client.peer.request("sidecar.shutdown", {});
    await expect(client.event("sidecar.closing")).resolves.toEqual({ reason: "asked to" });
    await expect(client.event("vm.ended")).resolves.toMatchObject({ reason: "shutdown" });
    await world.sidecar.closed;
    expect(world.driver.vms).toEqual([]);
  });
});
