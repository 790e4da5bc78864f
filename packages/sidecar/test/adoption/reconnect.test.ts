import { FRAME_KIND } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { Lives } from "./lives.ts";

describe("a lost connection to a sidecar that lives on", () => {
  test("[lease.resume] an exec's stream goes on, on another connection, from what its reader has", async () => {
    await using lives = await Lives.start();
    const client = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a" });
    const process = () => lives.machine.vm("vm-a").process("p");
    const first = client.exec(lease, ["work"], { processId: "p", windowBytes: 4_096 });
    await client.peer.request("ping", {});
    process().write("seen, ");
    await first.sink.until(({ stdout }) => stdout.byteLength === 6);
    await client[Symbol.asyncDispose]();
    process().write("x".repeat(10_000));
    await using next = await lives.connect();
    await next.peer.request("lease.resume", lease);
    const received = { stdout: 6, stderr: 0 };
    const again = next.exec(lease, ["work"], { processId: "p", received });
    await again.sink.until(({ stdout }) => stdout.byteLength === 10_000);
    process().end({ exitCode: 2 });
    await expect(again.exit).resolves.toMatchObject({ exitCode: 2, stdoutBytes: 10_006 });
    expect(again.sink.stdout.toString()).toBe("x".repeat(10_000));
  });

  test("the reader before is told that it is not the reader any more, and acknowledges nothing of the next one's", async () => {
    await using lives = await Lives.start();
    await using client = await lives.connect();
    await using other = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a" });
    await other.peer.request("vm.attach", { vm: "vm-a", leaseId: "l2", mode: "shared" });
    const first = client.exec(lease, ["work"], { processId: "p" });
    await client.peer.request("ping", {});
    lives.machine.vm("vm-a").process("p").write("abc");
    await first.sink.until(({ stdout }) => stdout.byteLength === 3);
    const received = { stdout: 3, stderr: 0 };
    const again = other.exec(lease, ["work"], { processId: "p", received });
    await other.peer.request("ping", {});
    lives.machine.vm("vm-a").process("p").write("def");
    await again.sink.until(({ stdout }) => stdout.byteLength === 3);
    expect(first.sink.frames.at(-1)?.kind).toBe(FRAME_KIND.fail);
    expect(first.sink.stdout.toString()).toBe("abc");
    expect(again.sink.stdout.toString()).toBe("def");
  });

  test("offsets that can't be are refused, and the process runs on for one who asks rightly", async () => {
    await using lives = await Lives.start();
    await using client = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a" });
    const ask = (stdout: number) =>
      client.exec(lease, ["work"], { processId: "p", received: { stdout, stderr: 0 } });
    client.exec(lease, ["work"], { processId: "p" });
    await client.peer.request("ping", {});
    await expect(ask(5).exit).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const right = ask(0);
    await client.peer.request("ping", {});
    lives.machine.vm("vm-a").process("p").write("abc");
    lives.machine.vm("vm-a").process("p").end();
    await expect(right.exit).resolves.toMatchObject({ exitCode: 0 });
    expect(right.sink.stdout.toString()).toBe("abc");
  });

  test("a spawned process's end that was told to a lost connection is told again", async () => {
    await using lives = await Lives.start();
    const client = await lives.connect();
    const { lease } = await client.create({ vmId: "vm-a" });
    const { vmId, fence } = lease;
    const start = { vmId, fence, processId: "p", argv: ["serve"] };
    await client.peer.request("process.spawn", { ...start, stream: client.openStream().stream });
    await client[Symbol.asyncDispose]();
    lives.machine.vm(vmId).process("p").end({ exitCode: 6 });
    await using next = await lives.connect();
    await next.peer.request("lease.resume", lease);
    const received = { stdout: 0, stderr: 0 };
    const { stream } = next.openStream();
    await next.peer.request("process.spawn", { ...start, stream, received });
    await expect(next.event("process.exited")).resolves.toMatchObject({ exitCode: 6 });
    await next.peer.request("ping", {});
    expect(next.events).toHaveLength(1);
  });

  test("a state that can't be written refuses what is new, keeps what was, and leaves no VM behind", async () => {
    await using lives = await Lives.start({ storeBytes: 256 * 1_024 });
    await using client = await lives.connect();
    const { lease } = await client.create({ vmId: "first" });
    const large = { env: { A: "x".repeat(20_000) } };
    const fill = async () => {
      // oxlint-disable-next-line no-await-in-loop -- One after the other, until it is full.
      for (let count = 0; ; count += 1) await client.create({ vmId: `vm-${count}`, ...large });
    };
    const refused = await fill().catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "VM_START_FAILED",
      details: { step: "store" },
      message: expect.stringContaining("full"),
    });
    const { vms } = await client.peer.request("vm.list", {});
    const alive = [...lives.machine.vms.values()].filter(({ isAlive }) => isAlive);
    expect(alive).toHaveLength(vms.length);
    await expect(client.peer.request("vm.info", lease)).resolves.toMatchObject({ leases: 1 });
    await client.peer.request("lease.release", { vmId: "vm-0", leaseId: lease.leaseId });
  });
});
