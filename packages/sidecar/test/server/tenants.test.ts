import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";
import { codeOf, openSocket, textOf } from "../websocket-client.ts";

describe("users of one sidecar", () => {
  test("[S10] to another user every id is unknown, exactly as one that never was", async () => {
    await using world = await TestSidecar.start();
    await using owner = await world.connect();
    await using bob = await world.connect(await world.keyOf("bob"));
    const { lease } = await owner.create({ vmId: "vm-of-owner", name: "secret-name" });
    await owner.peer.request("process.spawn", {
      ...lease,
      processId: "p",
      argv: ["sleep"],
      stream: owner.openStream().stream,
    });
    const asks = (vmId: string, name: string): (() => Promise<unknown>)[] => {
      const at = { vmId, fence: 1 };
      const { stream } = bob.openStream();
      return [
        () => bob.peer.request("vm.info", at),
        () => bob.peer.request("vm.processes", at),
        () => bob.peer.request("vm.attach", { vm: vmId, leaseId: "l", mode: "takeover" }),
        () => bob.peer.request("vm.attach", { vm: name, leaseId: "l", mode: "shared" }),
        () => bob.peer.request("lease.release", { vmId, leaseId: lease.leaseId }),
        () => bob.peer.request("lease.resume", { ...at, leaseId: lease.leaseId }),
        () => bob.peer.request("process.signal", { ...at, processId: "p", signal: "SIGKILL" }),
        () => bob.peer.request("process.exec", { ...at, processId: "p", argv: ["true"], stream }),
        () => bob.peer.request("process.log", { ...at, processId: "p", stream }),
        () => bob.peer.request("fs.stat", { ...at, path: "/workspace" }),
        () => bob.peer.request("fs.read", { ...at, path: "/etc/passwd", stream }),
        () => bob.peer.request("stream.close", { ...at, stream: 1 }),
      ];
    };
    const answers = async (vmId: string, name: string): Promise<string> => {
      const all = await Promise.all(asks(vmId, name).map((ask) => codeOf(ask())));
      return JSON.stringify(all).replaceAll(vmId, "ID").replaceAll(name, "NAME");
    };
    const foreign = await answers("vm-of-owner", "secret-name");
    expect(foreign).toBe(await answers("vm-of-nobody", "never-there"));
    expect(foreign.match(/NOT_FOUND/g)?.length).toBe(12);
    await expect(bob.peer.request("vm.list", {})).resolves.toEqual({ vms: [] });
    await expect(bob.peer.request("sidecar.info", {})).resolves.toMatchObject({
      vms: 0,
      leases: 0,
    });
    expect(world.driver.vm("vm-of-owner").running).toHaveLength(1);
  });

  test("[S10] the same id, name and lease id of another user are another VM", async () => {
    await using world = await TestSidecar.start();
    await using owner = await world.connect();
    await using bob = await world.connect(await world.keyOf("bob"));
    const request = { vmId: "same", leaseId: "same", name: "same" };
    const mine = await owner.create(request);
    const theirs = await bob.create(request);
    expect(theirs.vm).toMatchObject({ vmId: "same", leases: 1 });
    await bob.peer.request("vm.attach", { vm: "same", leaseId: "take", mode: "takeover" });
    await expect(owner.peer.request("vm.info", mine.lease)).resolves.toMatchObject({
      fence: 1,
      leases: 1,
    });
    expect(world.driver.vms).toHaveLength(2);
    expect(bob.events.concat(owner.events).map(({ event }) => event)).toEqual(["lease.fenced"]);
  });

  test("[S10] only the owner keeps or ends the sidecar", async () => {
    await using world = await TestSidecar.start();
    await using bob = await world.connect(await world.keyOf("bob"));
    await expect(bob.peer.request("sidecar.keep", { keep: true })).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
    await expect(bob.peer.request("sidecar.shutdown", {})).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
    await expect(bob.peer.request("ping", {})).resolves.toEqual({});
  });

  test("[S12] __proto__, constructor and prototype are names like any other", async () => {
    await using world = await TestSidecar.start();
    await using client = await world.connect();
    const { lease } = await client.create();
    const { vmId, fence } = lease;
    for (const name of ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"]) {
      const scoped = { vmId: name, fence };
      // oxlint-disable no-await-in-loop -- One after the other.
      expect(await codeOf(client.peer.request("vm.info", scoped))).toMatchObject({
        code: "NOT_FOUND",
      });
      expect(await codeOf(client.peer.request("key.revoke", { keyId: name }))).toMatchObject({
        code: "NOT_FOUND",
      });
      expect(
        await codeOf(
          client.peer.request("process.signal", {
            vmId,
            fence,
            processId: name,
            signal: "SIGTERM",
          }),
        ),
      ).toMatchObject({ code: "NOT_FOUND" });
      expect(await codeOf(client.create({ driver: name }))).toMatchObject({
        code: "UNKNOWN_DRIVER",
      });
      expect(await codeOf(client.create({ image: name }))).toMatchObject({
        code: "IMAGE_NOT_FOUND",
      });
      await expect(client.exec(lease, ["true"], { processId: name }).exit).resolves.toMatchObject({
        exitCode: 0,
      });
      await expect(client.create({ vmId: name, leaseId: name })).resolves.toMatchObject({
        vm: { vmId: name },
      });
      // oxlint-enable no-await-in-loop
    }
    expect(Object.prototype).not.toHaveProperty("polluted");
  });

  test("[S12] such keys in every map of a message change nothing else", async () => {
    await using world = await TestSidecar.start();
    await using owner = await world.connect();
    const { lease } = await owner.create();
    const socket = await openSocket(world.ready.listen, { apiKey: world.ready.apiKey });
    const answers = new Map<number, { type: string; error?: { code: string } }>();
    socket.on("message", (data) => {
      const answer = JSON.parse(textOf(data));
      answers.set(answer.id, answer);
    });
    const poison = '"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}';
    const env = '{"__proto__":"1","constructor":"2","prototype":"3","A":"4"}';
    socket.send(
      `{"type":"request","id":1,"method":"authenticate","params":{"protocol":{"min":1,"max":1,${poison}},"client":{"name":"t","version":"1",${poison}},${poison}},${poison}}`,
    );
    socket.send(`{"type":"request","id":2,"method":"__proto__","params":{}}`);
    socket.send(`{"type":"request","id":3,"method":"constructor","params":{}}`);
    socket.send(
      `{"type":"request","id":4,"method":"vm.attach","params":{"vm":"${lease.vmId}","leaseId":"l9","mode":"shared",${poison}}}`,
    );
    await expect.poll(() => answers.size).toBe(4);
    socket.send(
      `{"type":"request","id":5,"method":"process.exec","params":{"vmId":"${lease.vmId}","fence":1,"processId":"p","argv":["env"],"stream":1,"env":${env}}}`,
    );
    socket.send(
      `{"type":"request","id":6,"method":"vm.create","params":{"vmId":"v6","leaseId":"l6","limits":{"__proto__":{"pids":1},"constructor":1}}}`,
    );
    await expect.poll(() => answers.size).toBe(6);
    expect(answers.get(2)).toMatchObject({ type: "failure", error: { code: "UNKNOWN_METHOD" } });
    expect(answers.get(3)).toMatchObject({ type: "failure", error: { code: "UNKNOWN_METHOD" } });
    expect(answers.get(5)).toMatchObject({ type: "failure", error: { code: "INVALID_ARGUMENT" } });
    expect(answers.get(6)).toMatchObject({ type: "failure", error: { code: "INVALID_ARGUMENT" } });
    expect({}).not.toHaveProperty("polluted");
    socket.terminate();
  });
});
