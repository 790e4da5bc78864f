import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { AgentOs, disposeSharedSidecars } from "@agentos/client";
import { AgentOsError, type ParsedParams } from "@agentos/protocol";
import { expect, test } from "vitest";

import { exitOf } from "../scripted-process.ts";
import type { ScriptedSidecar } from "../scripted-sidecar.ts";
import { ScriptedWorld } from "../scripted-world.ts";
import {
  type HandlersOf,
  leased,
  listenResumable,
  never,
  startResumable,
  UNSTARTABLE_POOL,
} from "./resumable-sidecar.ts";

const sidecarPath = join(import.meta.dirname, "../fixtures/scripted-main.mjs");
/** Starting one fails, and may not the next time: its client goes on looking. */
const WAITING = { pool: UNSTARTABLE_POOL, sidecarPath };

const world = ScriptedWorld.use();

async function start(
  handlers: HandlersOf,
  options: Parameters<typeof startResumable>[2] = {},
): Promise<Awaited<ReturnType<typeof startResumable>>> {
  const started = await startResumable(world.path, handlers, options);
  world.keep(started.server);
  return started;
}

/** As `kill -9` would, and once the client has noticed: it tries to start another one. */
async function die(server: ScriptedSidecar): Promise<void> {
  await server.die();
  while (!existsSync(join(server.folder, "sidecar.log"))) await delay(1);
}

async function nextLife(handlers: HandlersOf, epoch = 2): Promise<ScriptedSidecar> {
  const server = await listenResumable(world.path, handlers, { pool: UNSTARTABLE_POOL, epoch });
  return world.keep(server);
}

const answering: HandlersOf = () => ({
  "process.exec": ({ processId }) => exitOf(processId, { exitCode: 9 }),
});

test("the next sidecar of the pool has the lease, and calls made meanwhile wait for it", async () => {
  const { os, server } = await start(() => ({ "process.exec": never }), WAITING);
  const running = os.exec("under way");
  await os.info();
  await die(server);
  const waiting = [os.exec("meanwhile"), os.info().then(({ epoch }) => ({ exitCode: epoch }))];
  const next = await nextLife(answering);
  expect((await running).exitCode).toBe(9);
  expect((await Promise.all(waiting)).map(({ exitCode }) => exitCode)).toEqual([9, 2]);
  expect(next.requests.slice(0, 3)).toEqual(["authenticate", "lease.resume", "process.exec"]);
  expect(next.connections.length).toBe(1);
});

test("what the next sidecar did not get is lost, at once, and what another holder took is fenced", async () => {
  const ends = {
    VM_ENDED: new AgentOsError("VM_ENDED", "buried", { vmId: "v", reason: "died" }),
    NOT_FOUND: new AgentOsError("NOT_FOUND", "unknown", { kind: "lease", id: "l" }),
    FENCED: new AgentOsError("FENCED", "taken", { vmId: "v", fence: 1, currentFence: 2 }),
  };
  const told: string[] = [];
  for (const error of Object.values(ends)) {
    const { os, server } = await start(() => ({ "process.exec": never }), WAITING);
    const running = os.exec("under way").catch((reason: unknown) => reason);
    await os.info();
    await die(server);
    const next = await nextLife(() => ({
      "lease.resume": () => {
        throw error;
      },
    }));
    expect(await running).toBeInstanceOf(AgentOsError);
    const reason: unknown = await os.info().catch((last: unknown) => last);
    told.push(reason instanceof AgentOsError ? reason.code : "none");
    await os.dispose();
    await next.die();
    await disposeSharedSidecars();
    rmSync(join(server.folder, "sidecar.log"));
  }
  expect(told).toEqual(["SIDECAR_LOST", "SIDECAR_LOST", "FENCED"]);
});

test("in the same life a lease that ended meanwhile says why", async () => {
  const { os, server } = await start(() => ({
    "lease.resume": () => {
      throw new AgentOsError("NOT_FOUND", "unknown", { kind: "lease", id: "l" });
    },
  }));
  server.open[0]?.destroy();
  await expect(os.info()).rejects.toMatchObject({
    code: "VM_ENDED",
    details: { reason: "expired" },
  });
});

test("a sidecar that says that it ends is not looked for again", async () => {
  const { os, server } = await start(() => ({}));
  server.open[0]?.peer.emit("sidecar.closing", { reason: "shutdown" });
  await os.info();
  server.open[0]?.destroy();
  await expect(os.info()).rejects.toMatchObject({ code: "SIDECAR_LOST" });
  expect(server.connections.length).toBe(1);
});

test("a sidecar that hangs up on every lease is given up when the grace is over", async () => {
  const { os, server } = await start(
    (connection) => ({
      "lease.resume": () => {
        connection.destroy();
        return never();
      },
    }),
    { graceMs: 300 },
  );
  server.open[0]?.destroy();
  await expect(os.info()).rejects.toMatchObject({ code: "SIDECAR_LOST" });
  expect(server.connections.length).toBeGreaterThan(2);
  expect(server.connections.length).toBeLessThan(30);
});

test("an abort is heard without a connection, and what was not asked for never runs", async () => {
  const { os, server } = await start(() => ({ "process.exec": never }), WAITING);
  await die(server);
  const controller = new AbortController();
  const { signal } = controller;
  const failing = [
    os.spawn(["x"], { signal }),
    os.fs.writeFile("/a", "x", { signal }),
    os.fs.readStream("/a", { signal }).getReader().read(),
    os.logs("p", { signal })[Symbol.asyncIterator]().next(),
  ].map((call) =>
    call.then(
      () => "done",
      (error: unknown) => error,
    ),
  );
  const exec = os.exec("x", { signal });
  await delay(1);
  controller.abort();
  expect(await exec).toMatchObject({ outcome: "cancelled", exitCode: null });
  for (const call of failing) expect(await call).toMatchObject({ code: "CANCELLED" });
  const next = await nextLife(() => ({}));
  await os.info();
  expect(next.requests).toEqual(["authenticate", "lease.resume", "vm.info"]);
});

test("an abort without a connection kills what runs once there is one", async () => {
  const { os, server } = await start(() => ({ "process.exec": never }), WAITING);
  const controller = new AbortController();
  const exec = os.exec("x", { signal: controller.signal });
  await os.info();
  await die(server);
  controller.abort();
  const killed = Promise.withResolvers<void>();
  await nextLife(() => ({
    "process.exec": async ({ processId }) => {
      await killed.promise;
      return exitOf(processId, { exitCode: null, signal: "SIGKILL", outcome: "signaled" });
    },
    "process.signal": () => (killed.resolve(), {}),
  }));
  expect(await exec).toMatchObject({ outcome: "cancelled", signal: "SIGKILL" });
});

test("a dispose without a connection gives the lease back at the next sidecar, and what was under way fails", async () => {
  const { os, server } = await start(() => ({ "process.exec": never }), WAITING);
  const running = os.exec("x").catch((error: unknown) => error);
  await os.info();
  await die(server);
  const disposal = os.dispose();
  expect(await running).toMatchObject({ code: "DISPOSED" });
  await expect(os.info()).rejects.toMatchObject({ code: "DISPOSED" });
  const next = await nextLife(() => ({}));
  await disposal;
  expect(next.released).toEqual([os.id]);
});

test("a dispose that finds no sidecar any more ends all the same", async () => {
  const { os, server } = await start(() => ({}));
  await server.die();
  await os.dispose();
  expect(os.sidecar.describe()).toMatchObject({ state: "ready", activeVmCount: 0 });
});

test("a create whose sidecar dies is asked again under the same ids, or under others where the first VM went with it", async () => {
  const asked: ParsedParams<"vm.create">[] = [];
  const { os, server } = await start((connection, self) => ({
    "vm.create": (params) => {
      if (params.name === undefined) return leased(self, params);
      asked.push(params);
      connection.destroy();
      return never();
    },
  }));
  const { sidecar } = os;
  const creation = AgentOs.create({ sidecar, name: "one" });
  while (asked.length < 2) await delay(1);
  expect(asked[1]).toEqual(asked[0]);
  await server.die();
  const vmIds: string[] = [];
  const next = await listenResumable(
    world.path,
    (_, self) => ({
      "vm.create": (params) => {
        const { vmId } = params;
        vmIds.push(vmId);
        if (vmIds.length > 1) return leased(self, params);
        throw new AgentOsError("VM_ENDED", "buried", { vmId, reason: "died" });
      },
    }),
    { epoch: 2 },
  );
  world.keep(next);
  await using made = await creation;
  expect(vmIds).toEqual([asked[0]?.vmId, made.id]);
  expect(made.id).not.toBe(vmIds[0]);
});

test("limits that are hit are told to whoever listens, and no longer", async () => {
  const { os, server } = await start(() => ({}));
  const hits: object[] = [];
  const stop = os.onLimit((hit) => hits.push(hit));
  const emit = (): void => {
    for (const vmId of [os.id, "another"])
      server.open[0]?.peer.emit("vm.limit", { vmId, limit: "memoryBytes", value: 64 });
  };
  emit();
  await os.info();
  server.open[0]?.destroy();
  await os.info();
  emit();
  await os.info();
  stop();
  emit();
  await os.info();
  expect(hits).toEqual([
    { limit: "memoryBytes", value: 64 },
    { limit: "memoryBytes", value: 64 },
  ]);
});
