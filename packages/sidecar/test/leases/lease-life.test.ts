import { describe, expect, test } from "vitest";

import { Lives } from "../adoption/lives.ts";

const GRACE_MS = 1_000;

describe("leases across lives, and VMs without one", () => {
  test("[lease.fence-yesterday] a fence of an earlier life is FENCED in the next, and the takeover holds", async () => {
    await using lives = await Lives.start();
    await using first = await lives.connect();
    await using second = await lives.connect();
    const { lease } = await first.create({ vmId: "vm-a" });
    const takeover = { vm: "vm-a", leaseId: "taken", mode: "takeover" as const };
    const { lease: taken } = await second.peer.request("vm.attach", takeover);
    expect(taken.fence).toBe(2);
    await lives.next();
    await using next = await lives.connect();
    await expect(next.peer.request("lease.resume", lease)).rejects.toMatchObject({
      code: "FENCED",
      details: { vmId: "vm-a", fence: 1, currentFence: 2 },
    });
    await expect(next.peer.request("lease.resume", taken)).resolves.toEqual(taken);
    await expect(next.peer.request("vm.info", lease)).rejects.toMatchObject({ code: "FENCED" });
    const again = { ...takeover, leaseId: "again" };
    const third = await next.peer.request("vm.attach", again);
    expect(third.lease.fence).toBe(3);
  });

  test("[lease.expiry] a lease that nobody resumes ends its unnamed VM after the grace, in the next life too", async () => {
    await using lives = await Lives.start();
    await using client = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a" });
    await lives.next(500);
    await using next = await lives.connect();
    await next.peer.request("vm.list", {});
    lives.now.clock.advance(GRACE_MS - 1);
    expect(lives.machine.vm("vm-a").isAlive).toBe(true);
    lives.now.clock.advance(1);
    expect(lives.machine.vm("vm-a").isAlive).toBe(false);
    await expect(next.peer.request("lease.resume", lease)).rejects.toMatchObject({
      code: "VM_ENDED",
      details: { reason: "expired" },
    });
  });

  test("[lease.expiry] a grace that was over during the outage is over: the VM is taken over to be ended", async () => {
    await using lives = await Lives.start();
    const client = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a" });
    await client[Symbol.asyncDispose]();
    await using watcher = await lives.connect();
    await expect
      .poll(async () => (await watcher.peer.request("vm.list", {})).vms[0]?.leases)
      .toBe(1);
    lives.now.clock.advance(600);
    await lives.next(400);
    await using next = await lives.connect();
    await expect(next.peer.request("lease.resume", lease)).rejects.toMatchObject({
      code: /NOT_FOUND|VM_ENDED/,
    });
    await lives.machine.vm("vm-a").ended.promise;
  });

  test("[lease.freeze] a named VM without a lease is frozen, goes on when it is held, and loses its processes in time", async () => {
    await using lives = await Lives.start();
    await using client = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a", name: "kept" });
    const vm = lives.machine.vm("vm-a");
    await client.peer.request("lease.release", lease);
    await expect.poll(() => vm.isFrozen).toBe(true);
    await client.peer.request("vm.attach", { vm: "kept", leaseId: "l2", mode: "shared" });
    expect(vm.freezes).toEqual([true, false]);
    lives.now.clock.advance(600_000);
    expect(vm.kills).toBe(0);
    await client.peer.request("lease.release", { vmId: "vm-a", leaseId: "l2" });
    lives.now.clock.advance(400_000);
    await lives.next(100_000);
    await using next = await lives.connect();
    await next.peer.request("vm.list", {});
    expect(vm.isFrozen).toBe(true);
    lives.now.clock.advance(99_999);
    expect(vm.kills).toBe(0);
    lives.now.clock.advance(1);
    await expect.poll(() => vm.kills).toBe(1);
    await next.peer.request("vm.attach", { vm: "kept", leaseId: "l3", mode: "shared" });
    expect(vm.isFrozen).toBe(false);
    expect(vm.isAlive).toBe(true);
  });

  test("a named VM whose connection is lost is frozen only after the grace", async () => {
    await using lives = await Lives.start();
    const client = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a", name: "kept" });
    const vm = lives.machine.vm("vm-a");
    await client[Symbol.asyncDispose]();
    await using other = await lives.connect();
    await other.peer.request("vm.list", {});
    lives.now.clock.advance(GRACE_MS - 1);
    await expect(other.peer.request("lease.resume", lease)).resolves.toEqual(lease);
    expect(vm.freezes).toEqual([]);
    await other[Symbol.asyncDispose]();
    await using last = await lives.connect();
    await last.peer.request("vm.list", {});
    lives.now.clock.advance(GRACE_MS);
    await expect.poll(() => vm.freezes).toEqual([true]);
    await expect(last.peer.request("lease.resume", lease)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    expect(vm.isAlive).toBe(true);
  });

  test("vm.stats asks the VM, and the hit of a limit is told to its holders", async () => {
    await using lives = await Lives.start();
    await using client = await lives.connect();
    await using stranger = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a" });
    await expect(client.peer.request("vm.stats", lease)).resolves.toEqual({
      memoryBytes: 1,
      processes: 0,
      cpuMs: 2,
      diskBytes: null,
      outputBytes: 0,
      terminals: 0,
      network: { connections: 0, allowed: 0, refused: 0, sentBytes: 0, receivedBytes: 0 },
    });
    const { listeners } = lives.machine.vm("vm-a");
    for (const listener of listeners) listener({ limit: "memoryBytes", value: 5 });
    await expect(client.event("vm.limit")).resolves.toEqual({
      vmId: "vm-a",
      limit: "memoryBytes",
      value: 5,
    });
    expect(stranger.events).toEqual([]);
    await client.peer.request("lease.release", lease);
    expect(listeners.size).toBe(0);
  });
});
