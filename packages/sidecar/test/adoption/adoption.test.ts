import { DatabaseSync } from "node:sqlite";
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { encodeFrame, FRAME_KIND } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import type { TestClient } from "../sidecar-harness.ts";
import { Lives } from "./lives.ts";

const NOTHING = { stdout: 0, stderr: 0 };

/** Leases a VM with an exec in it, whose process the test drives. */
async function withExec(lives: Lives, spec: Parameters<TestClient["create"]>[0] = {}) {
  const client = await lives.connect();
  const { lease } = await client.create({ vmId: "vm-a", leaseId: "l1", ...spec });
  const exec = client.exec(lease, ["work"], { processId: "p" });
  await client.peer.request("ping", {});
  return { client, lease, exec, vm: lives.machine.vm("vm-a") };
}

function send(peer: TestClient["peer"], stream: number, offset: number, text: string): void {
  peer.sendFrame(encodeFrame(FRAME_KIND.dataIn, stream, offset, Buffer.from(text)));
}

describe("adoption", () => {
  test("[adopt.lease] the next life finds VM and lease, and the same exec goes on byte for byte to its true end", async () => {
    await using lives = await Lives.start();
    const { lease, exec, vm, client } = await withExec(lives, { env: { A: "1" } });
    vm.process("p").write("the first half, ");
    await exec.sink.until(({ stdout }) => stdout.byteLength === 16);
    await client.peer.request("ping", {});
    await lives.next();
    vm.process("p").write("the second half");
    await using next = await lives.connect();
    await expect(next.peer.request("lease.resume", lease)).resolves.toEqual(lease);
    const again = next.exec(lease, ["work"], {
      processId: "p",
      received: { stdout: 16, stderr: 0 },
    });
    await again.sink.until(({ stdout }) => stdout.byteLength === 15);
    expect(again.sink.stdout.toString()).toBe("the second half");
    vm.process("p").write("!");
    vm.process("p").end({ exitCode: 7 });
    await expect(again.exit).resolves.toMatchObject({ exitCode: 7, outcome: "exited" });
    expect(again.sink.stdout.toString()).toBe("the second half!");
    const { vmId, fence } = lease;
    await expect(next.peer.request("vm.info", { vmId, fence })).resolves.toMatchObject({
      epoch: 2,
      leases: 1,
      driver: "fake",
    });
    const created = await next.create({ vmId: "vm-a", leaseId: "l1", env: { A: "1" } });
    expect(created.lease).toEqual(lease);
    expect(lives.machine.vms.size).toBe(1);
  });

  test("[adopt.exec] an end that nobody saw is told; one that is not known any more is NOT_FOUND and starts nothing", async () => {
    await using lives = await Lives.start();
    const { lease, vm } = await withExec(lives);
    await lives.next();
    vm.process("p").write("all of it");
    vm.process("p").end({ exitCode: 3 });
    vm.released.add("silent");
    await using next = await lives.connect();
    await next.peer.request("lease.resume", lease);
    const again = next.exec(lease, ["work"], { processId: "p", received: NOTHING });
    await expect(again.exit).resolves.toMatchObject({ exitCode: 3 });
    expect(again.sink.stdout.toString()).toBe("all of it");
    for (const [processId, stdout] of [
      ["gone", 5],
      ["silent", 0],
    ] as const) {
      const received = { stdout, stderr: 0 };
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(next.exec(lease, ["x"], { processId, received }).exit).rejects.toMatchObject({
        code: "NOT_FOUND",
        details: { kind: "process", id: processId },
      });
    }
    const fresh = next.exec(lease, ["work"], { processId: "new", received: NOTHING });
    await next.peer.request("ping", {});
    vm.process("new").end();
    await expect(fresh.exit).resolves.toMatchObject({ exitCode: 0 });
  });

  test("the VM keeps an exec's end until its client must have it", async () => {
    await using lives = await Lives.start();
    const { lease, exec, vm } = await withExec(lives);
    vm.process("p").end({ exitCode: 4 });
    await exec.exit;
    expect(vm.process("p").isReleased).toBe(false);
    await lives.next();
    await using next = await lives.connect();
    await next.peer.request("lease.resume", lease);
    const again = next.exec(lease, ["work"], { processId: "p", received: NOTHING });
    await expect(again.exit).resolves.toMatchObject({ exitCode: 4 });
    lives.now.clock.advance(1_000);
    expect([...vm.processes.keys()]).toEqual([]);
    const last = next.exec(lease, ["work"], { processId: "p", received: NOTHING });
    await expect(last.exit).resolves.toMatchObject({ exitCode: 4 });
    expect(last.sink.frames).toEqual([]);
  });

  test("a spawned process, its stdin and its event go on", async () => {
    await using lives = await Lives.start();
    const client = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a" });
    const { vmId, fence } = lease;
    const start = { vmId, fence, processId: "p", argv: ["cat"], stdin: "pipe" as const };
    const first = client.openStream();
    await client.peer.request("process.spawn", { ...start, stream: first.stream });
    send(client.peer, first.stream, 0, "one ");
    await client.peer.request("ping", {});
    await lives.next();
    const vm = lives.machine.vm(vmId);
    await using next = await lives.connect();
    await next.peer.request("lease.resume", lease);
    const again = next.openStream();
    await expect(
      next.peer.request("process.spawn", { ...start, stream: again.stream, received: NOTHING }),
    ).resolves.toEqual({ processId: "p", pid: 42 });
    send(next.peer, again.stream, 2, "e two");
    await next.peer.request("ping", {});
    expect(vm.process("p").stdin).toBe("one two");
    vm.process("p").end({ exitCode: 5 });
    await expect(next.event("process.exited")).resolves.toMatchObject({
      processId: "p",
      exitCode: 5,
    });
    const list = await next.peer.request("process.list", { vmId, fence });
    expect(list.processes).toMatchObject([{ processId: "p", state: "exited" }]);
  });

  test("ready does not wait for adoptions; whoever asks for such a VM does", async () => {
    await using lives = await Lives.start();
    const { lease } = await withExec(lives, { name: "kept" });
    const gate = Promise.withResolvers<void>();
    lives.machine.onAdopt = () => gate.promise;
    await lives.next();
    await using next = await lives.connect();
    const answered: string[] = [];
    const asked = [
      next.peer.request("lease.resume", lease).then(() => answered.push("resume")),
      next.peer.request("vm.list", {}).then(({ vms }) => answered.push(`list ${vms.length}`)),
      next
        .create({ vmId: "vm-a", leaseId: "l1", name: "kept" })
        .then(() => answered.push("create")),
    ];
    await next.create({ vmId: "vm-b" });
    expect(answered).toEqual([]);
    gate.resolve();
    await Promise.all(asked);
    expect(answered.toSorted()).toEqual(["create", "list 2", "resume"]);
  });

  test("a VM that can't be taken over is told as ended, never as an exit", async () => {
    await using lives = await Lives.start();
    const { lease, vm } = await withExec(lives);
    await lives.next(0, () => void (vm.isAlive = false));
    await using next = await lives.connect();
    const gone = { code: "VM_ENDED", details: { vmId: "vm-a", reason: "died" } };
    await expect(next.peer.request("lease.resume", lease)).rejects.toMatchObject(gone);
    const again = next.exec(lease, ["work"], { processId: "p", received: NOTHING });
    await expect(again.exit).rejects.toMatchObject(gone);
    await expect(next.create({ vmId: "vm-a" })).rejects.toMatchObject(gone);
    await expect(next.peer.request("vm.list", {})).resolves.toEqual({ vms: [] });
    await lives.next();
    await using last = await lives.connect();
    await expect(last.peer.request("lease.resume", lease)).rejects.toMatchObject(gone);
  });

  test("after a boot of the machine nothing is adopted", async () => {
    await using lives = await Lives.start();
    const { lease } = await withExec(lives);
    await lives.next(0, (state) => {
      const [file = ""] = readdirSync(state).filter((name) => /^pool-.*sqlite$/.test(name));
      using database = new DatabaseSync(join(state, file));
      database.exec("UPDATE meta SET value = 'another boot' WHERE name = 'boot'");
    });
    lives.machine.onAdopt = () => Promise.reject(new Error("it must not try"));
    await using next = await lives.connect();
    await expect(next.peer.request("lease.resume", lease)).rejects.toMatchObject({
      code: "VM_ENDED",
    });
  });

  test("slots, names, wall time and another user's privacy outlive the sidecar too", async () => {
    await using lives = await Lives.start({ maxVms: 1, waitingCreates: 0 });
    await withExec(lives, { name: "kept", limits: { wallMs: 10_000 } });
    lives.now.clock.advance(4_000);
    await lives.next(500);
    await using next = await lives.connect();
    await expect(next.create()).rejects.toMatchObject({ code: "POOL_EXHAUSTED" });
    await expect(next.create({ name: "kept" })).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    await using stranger = await lives.now.connect(await lives.now.keyOf("someone"));
    const taken = { vmId: "vm-a", leaseId: "l1", fence: 1 };
    await expect(stranger.peer.request("lease.resume", taken)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await next.peer.request("lease.resume", taken);
    lives.now.clock.advance(5_499);
    expect(lives.machine.vm("vm-a").isAlive).toBe(true);
    lives.now.clock.advance(1);
    await expect(next.event("vm.ended")).resolves.toMatchObject({ reason: "expired" });
    await expect(next.event("vm.limit")).resolves.toEqual({
      vmId: "vm-a",
      limit: "wallMs",
      value: 10_000,
    });
    await expect(next.create()).resolves.toMatchObject({ vm: { leases: 1 } });
  });

  test("a clean end leaves nothing for the next life", async () => {
    await using lives = await Lives.start();
    const { lease, vm } = await withExec(lives, { name: "kept" });
    await lives.now.sidecar.close("drained");
    expect(vm.isAlive).toBe(false);
    await lives.next();
    await using next = await lives.connect();
    await expect(next.peer.request("lease.resume", lease)).rejects.toMatchObject({
      code: "VM_ENDED",
      details: { reason: "shutdown" },
    });
    await expect(next.peer.request("vm.list", {})).resolves.toEqual({ vms: [] });
  });

  test("piped processes that no client claims within the grace end; logged ones stay", async () => {
    await using lives = await Lives.start();
    const { client, lease, vm } = await withExec(lives);
    const { vmId, fence } = lease;
    const logged = { vmId, fence, processId: "log", argv: ["serve"], output: "logged" as const };
    await client.peer.request("process.spawn", { ...logged, stream: client.openStream().stream });
    await lives.next();
    await using next = await lives.connect();
    await next.peer.request("lease.resume", lease);
    lives.now.clock.advance(1_000);
    expect([...vm.processes.keys()]).toEqual(["log"]);
    expect(vm.process("log").signals).toEqual([]);
    const list = await next.peer.request("process.list", { vmId, fence });
    expect(list.processes).toMatchObject([
      { processId: "log", output: "logged", state: "running" },
    ]);
  });
});
