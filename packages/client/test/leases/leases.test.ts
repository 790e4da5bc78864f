import { AgentOs, type AgentOsSidecar, disposeSharedSidecars } from "@agentos/client";
import { AgentOsError, type Handlers } from "@agentos/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";

import { LeaseSession } from "../../src/leases/lease-session.ts";
import { sidecarCore } from "../../src/sidecar/agent-os-sidecar.ts";
import {
  type ScriptedConnection,
  ScriptedSidecar,
  temporaryDirectory,
} from "../scripted-sidecar.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let scripted: ScriptedSidecar | undefined;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await disposeSharedSidecars().catch(() => undefined);
  await scripted?.[Symbol.asyncDispose]();
  scripted = undefined;
  directory[Symbol.dispose]();
});

async function start(
  handlers?: (connection: ScriptedConnection) => Handlers,
): Promise<[ScriptedSidecar, AgentOsSidecar]> {
  const runtimeDirectory = directory.path;
  scripted = await ScriptedSidecar.listen({
    runtimeDirectory,
    ...(handlers === undefined ? {} : { handlers }),
  });
  // A main file that does not exist: these tests never start a process.
  const sidecar = await AgentOs.getSharedSidecar({
    runtimeDirectory,
    sidecarPath: "/nonexistent/main.js",
  });
  return [scripted, sidecar];
}

const failing = (message: string): never => {
  throw new AgentOsError("INTERNAL", message, {});
};

test("[P26] [P27] any number of first callers cause one connection and one handshake, and later VMs share it", async () => {
  const [server, sidecar] = await start();
  const all = await Promise.all(Array.from({ length: 20 }, () => AgentOs.create({ sidecar })));
  all.push(await AgentOs.create({ sidecar }));
  expect(server.connections.length).toBe(1);
  expect(server.requests.filter((method) => method === "authenticate").length).toBe(1);
  expect(new Set(all.map(({ id }) => id)).size).toBe(21);
  expect(sidecar.describe().activeVmCount).toBe(21);
});

test("[P28] [P31] every caller knows the connection's id and its largest frame as soon as it has the connection", async () => {
  const [, sidecar] = await start();
  const seen = await Promise.all(
    [1, 2, 3].map(() =>
      sidecarCore(sidecar).use(async ({ connectionId, maxFrameBytes }) => ({
        connectionId,
        maxFrameBytes,
      })),
    ),
  );
  expect(seen).toEqual(
    Array.from({ length: 3 }, () => ({ connectionId: "c-1", maxFrameBytes: 65_536 })),
  );
});

test("[P29] [P30] the first request authenticates, naming the client, its version and its protocol range", async () => {
  let first: object | undefined;
  const [server, sidecar] = await start(() => ({
    authenticate: (params) => {
      first ??= params;
      return {
        connectionId: "c",
        sidecarId: "s",
        epoch: 1,
        protocol: 1,
        maxFrameBytes: 65_536,
        heartbeatMs: 5_000,
        capabilities: [],
      };
    },
  }));
  await using os = await AgentOs.create({ sidecar });
  expect(os.sidecar).toBe(sidecar);
  expect(server.requests[0]).toBe("authenticate");
  expect(first).toEqual({
    protocol: { min: 1, max: 1 },
    client: { name: "@agentos/client", version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
  });
});

test("[P32] a refused handshake keeps its code and message", async () => {
  const [, sidecar] = await start(() => ({
    authenticate: () => {
      throw new AgentOsError("VERSION_MISMATCH", "no common version", {
        offered: "1",
        supported: "7",
      });
    },
  }));
  await expect(AgentOs.create({ sidecar })).rejects.toMatchObject({
    code: "VERSION_MISMATCH",
    message: "no common version",
    details: { offered: "1", supported: "7" },
  });
});

test("[P33] an answer that is no authentication is a protocol error", async () => {
  const runtimeDirectory = directory.path;
  scripted = await ScriptedSidecar.listen({
    runtimeDirectory,
    intercept: () => JSON.stringify({ type: "response", id: 1, result: { hello: "there" } }),
  });
  const sidecar = await AgentOs.getSharedSidecar({ runtimeDirectory });
  await expect(AgentOs.create({ sidecar })).rejects.toMatchObject({
    code: "PROTOCOL_ERROR",
    message: "unexpected authenticate response",
  });
});

test("[P36] [P37] the connection goes with the last lease, the handle stays ready, and the next create connects again", async () => {
  const [server, sidecar] = await start();
  const [first, second] = [await AgentOs.create({ sidecar }), await AgentOs.create({ sidecar })];
  await first.dispose();
  expect(server.open.length).toBe(1);
  const [connection] = server.connections;
  await second.dispose();
  await connection?.peer.closed;
  expect(sidecar.describe()).toMatchObject({ state: "ready", activeVmCount: 0 });
  expect(await AgentOs.getSharedSidecar()).toBe(sidecar);
  await using next = await AgentOs.create({ sidecar });
  expect(next.sidecar).toBe(sidecar);
  expect(server.connections.length).toBe(2);
});

test("[P38] [P39] [P40] an AgentOs releases its own VM, once, and the count follows", async () => {
  const [server, sidecar] = await start();
  const os = await AgentOs.create({ sidecar });
  await using other = await AgentOs.create({ sidecar });
  expect(os.sidecar).toBe(sidecar);
  expect(sidecar.describe().activeVmCount).toBe(2);
  await Promise.all([os.dispose(), os.dispose()]);
  await os.dispose();
  expect(server.released).toEqual([os.id]);
  expect(sidecar.describe().activeVmCount).toBe(1);
  expect((await other.info()).vmId).toBe(other.id);
});

test("[P40] [T3] a release that fails is said, and the lease has left the count before it was awaited", async () => {
  const release = Promise.withResolvers<never>();
  // It may be rejected before the request for it arrives.
  release.promise.catch(() => undefined);
  const [, sidecar] = await start(() => ({ "lease.release": () => release.promise }));
  const os = await AgentOs.create({ sidecar });
  const disposal = os.dispose();
  expect(sidecar.describe().activeVmCount).toBe(0);
  release.reject(new AgentOsError("INTERNAL", "the release failed", {}));
  await expect(disposal).rejects.toThrow("the release failed");
  expect(sidecar.describe().activeVmCount).toBe(0);
});

test("[P41] the count never falls below 0", async () => {
  const [, sidecar] = await start();
  const all = await Promise.all(Array.from({ length: 5 }, () => AgentOs.create({ sidecar })));
  await Promise.all([...all, ...all].map((os) => os.dispose()));
  await Promise.all([sidecar.dispose(), ...all.map((os) => os.dispose())]);
  expect(sidecar.describe().activeVmCount).toBe(0);
});

test("[P43] [P44] [P45] [P47] [D1] [D2] dispose drains every lease though some fail, and joins the messages bare", async () => {
  let releases = 0;
  const [server, sidecar] = await start(() => ({
    "lease.release": () => {
      releases += 1;
      return releases === 2 ? {} : failing(`number ${releases} failed`);
    },
  }));
  for (let index = 0; index < 3; index += 1) await AgentOs.create({ sidecar });
  const disposal = sidecar.dispose();
  expect(sidecar.describe().state).toBe("disposing");
  const error: unknown = await disposal.catch((reason: unknown) => reason);
  expect(error instanceof Error && error.message).toBe("number 1 failed; number 3 failed");
  expect(server.requests.filter((method) => method === "lease.release").length).toBe(3);
  expect(sidecar.describe()).toMatchObject({ state: "disposed", activeVmCount: 0 });
});

test("[P35] ending a connection that is not there does nothing", async () => {
  const [server, sidecar] = await start();
  await sidecar.dispose();
  expect(server.connections).toEqual([]);
  const explicit = await AgentOs.createSidecar();
  await explicit.dispose();
  expect(explicit.describe().state).toBe("disposed");
});

test("[T1] a VM is leased only while the handle is ready", async () => {
  const hold = Promise.withResolvers<Record<string, never>>();
  const [, sidecar] = await start(() => ({ "lease.release": () => hold.promise }));
  await AgentOs.create({ sidecar });
  const disposal = sidecar.dispose();
  await expect(AgentOs.create({ sidecar })).rejects.toMatchObject({
    code: "SIDECAR_UNAVAILABLE",
    message: "Cannot lease VM from sidecar agent-os-shared-sidecar:default while it is disposing",
    details: { sidecarId: "agent-os-shared-sidecar:default", state: "disposing" },
  });
  hold.resolve({});
  await disposal;
  await expect(AgentOs.create({ sidecar })).rejects.toThrow(
    "Cannot lease VM from sidecar agent-os-shared-sidecar:default while it is disposed",
  );
});

test("[T2] a lease whose VM is not registered is refused, and a failed creation leaves nothing", async () => {
  const [server, sidecar] = await start((connection) => ({
    "vm.create": ({ vmId, leaseId, name }) => {
      if (name === "refused") return failing("unused");
      const other = name === "other" ? `other-${vmId}`.slice(0, 64) : vmId;
      expect(connection.peer.isClosed).toBe(false);
      return { lease: { leaseId, vmId: other, fence: 1, ttlMs: 0 }, vm: server.vm(other) };
    },
  }));
  await expect(AgentOs.create({ sidecar, name: "other" })).rejects.toThrow(
    /^Sidecar VM admin was not registered for [0-9a-f-]{36}$/,
  );
  expect(server.released.length).toBe(1);
  await expect(AgentOs.create({ sidecar, name: "refused" })).rejects.toMatchObject({
    code: "INTERNAL",
  });
  expect(sidecar.describe().activeVmCount).toBe(0);
});

test("[T4] leases are disposed one after another, and those made disposable meanwhile do no harm", async () => {
  let under = 0;
  let most = 0;
  const [, sidecar] = await start(() => ({
    "lease.release": async () => {
      under += 1;
      most = Math.max(most, under);
      await new Promise((resolve) => setImmediate(resolve));
      under -= 1;
      return {};
    },
  }));
  for (let index = 0; index < 4; index += 1) await AgentOs.create({ sidecar });
  await sidecar.dispose();
  expect(most).toBe(1);
});

test("[T5] a disposed session creates no VM, and disposes each of its VMs though one fails", async () => {
  const [server, sidecar] = await start();
  await sidecarCore(sidecar).use(async (connection) => {
    const placement = sidecar.describe().placement;
    const session = new LeaseSession({ connection, placement, reconnect: async () => undefined });
    await session.createVm({ vmId: "one", leaseId: "l1" });
    await session.createVm({ vmId: "two", leaseId: "l2" });
    await session.dispose();
    expect(server.released).toEqual(["one", "two"]);
    await expect(session.createVm({ vmId: "three", leaseId: "l3" })).rejects.toMatchObject({
      code: "DISPOSED",
      message: `Cannot create VM three for disposed sidecar session ${session.sessionId}`,
    });
    expect(session.placement).not.toBe(placement);
  });
});

test("[U1] a dispose during a create leaves no lease and no VM", async () => {
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const [server, sidecar] = await start(() => ({
    "vm.create": async ({ vmId, leaseId }) => {
      asked.resolve();
      await go.promise;
      return { lease: { leaseId, vmId, fence: 1, ttlMs: 0 }, vm: server.vm(vmId) };
    },
  }));
  const creation = AgentOs.create({ sidecar });
  creation.catch(() => undefined);
  await asked.promise;
  const disposal = sidecar.dispose();
  go.resolve();
  await expect(creation).rejects.toMatchObject({ code: "SIDECAR_UNAVAILABLE" });
  await disposal;
  expect(server.released.length).toBe(1);
  expect(sidecar.describe()).toMatchObject({ state: "disposed", activeVmCount: 0 });
});

test("[U2] a second dispose waits for the first", async () => {
  const hold = Promise.withResolvers<Record<string, never>>();
  const [server, sidecar] = await start(() => ({ "lease.release": () => hold.promise }));
  await AgentOs.create({ sidecar });
  let second = false;
  const disposals = Promise.all([sidecar.dispose(), sidecar.dispose().then(() => (second = true))]);
  await new Promise((resolve) => setImmediate(resolve));
  expect([sidecar.describe().state, second]).toEqual(["disposing", false]);
  hold.resolve({});
  await disposals;
  expect(server.requests.filter((method) => method === "lease.release").length).toBe(1);
});

test("[U3] a create in flight keeps the connection that the last lease leaves", async () => {
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const [server, sidecar] = await start(() => ({
    "vm.create": async ({ vmId, leaseId, name }) => {
      if (name === "slow") {
        asked.resolve();
        await go.promise;
      }
      return { lease: { leaseId, vmId, fence: 1, ttlMs: 0 }, vm: server.vm(vmId, name) };
    },
  }));
  const last = await AgentOs.create({ sidecar });
  const slow = AgentOs.create({ sidecar, name: "slow" });
  await asked.promise;
  await last.dispose();
  go.resolve();
  await using os = await slow;
  expect(os.name).toBe("slow");
  expect(server.connections.length).toBe(1);
  expect(server.open.length).toBe(1);
});
