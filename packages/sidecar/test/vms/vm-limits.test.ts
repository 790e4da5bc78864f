import { describe, expect, test } from "vitest";

import { BOUNDS } from "../../src/bounds.ts";
import { type TestClient, TestSidecar } from "../sidecar-harness.ts";

const WALL = { limits: { wallMs: 1_000 } };
const LIMITED = {
  outcome: "limited",
  limit: { name: "wallMs", value: 1_000 },
  exitCode: null,
  signal: "SIGKILL",
};

async function setUp() {
  const world = await TestSidecar.start();
  const client = await world.connect();
  const { lease } = await client.create(WALL);
  const stack = new AsyncDisposableStack();
  stack.use(world);
  stack.use(client);
  return { world, client, lease, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Resolves once the program has said that it runs. */
async function stubborn(client: TestClient, lease: { vmId: string; fence: number }) {
  const run = client.exec(lease, ["stubborn"]);
  await run.sink.until(({ stdout }) => stdout.toString() === "ready\n");
  return run;
}

describe("a VM whose time is over", () => {
  test("its execs end as limited, with their output, before it does", async () => {
    await using run = await setUp();
    const { exit } = await stubborn(run.client, run.lease);
    run.world.clock.advance(1_000);
    await expect(exit).resolves.toMatchObject({ ...LIMITED, stdoutBytes: 6 });
    await expect(run.client.event("vm.ended")).resolves.toMatchObject({ reason: "expired" });
    const events = run.client.events.map(({ event }) => event);
    expect(events).toEqual(["vm.limitNear", "vm.limit", "vm.ended"]);
  });

  test("an exec that ended by itself before did so", async () => {
    await using run = await setUp();
    const { exit } = run.client.exec(run.lease, ["exit", "3"]);
    await expect(exit).resolves.toMatchObject({ outcome: "exited", exitCode: 3 });
    run.world.clock.advance(1_000);
    await expect(run.client.event("vm.ended")).resolves.toMatchObject({ reason: "expired" });
  });

  test("a reader that takes nothing delays its end for a bounded time", async () => {
    await using run = await setUp();
    const { stream, sink } = run.client.openStream(false);
    const held = { processId: "held", argv: ["flood", "100000"], windowBytes: 4_096 };
    await run.client.peer.request("process.spawn", { ...run.lease, ...held, stream });
    await sink.until(({ stdout }) => stdout.byteLength >= 4_096);
    run.world.clock.advance(1_000);
    await expect(run.client.event("process.exited")).resolves.toMatchObject(LIMITED);
    await expect(run.client.peer.request("vm.info", run.lease)).resolves.toMatchObject({
      vmId: run.lease.vmId,
    });
    const late = run.client.exec(run.lease, ["stubborn"]);
    await expect(late.exit).resolves.toMatchObject(LIMITED);
    run.world.clock.advance(BOUNDS.lastOutputMs);
    await expect(run.client.event("vm.ended")).resolves.toMatchObject({ reason: "expired" });
  });
});
