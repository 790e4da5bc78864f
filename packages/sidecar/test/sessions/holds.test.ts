import { Gate } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

describe("a session's hold on its VM", () => {
  test("[session.hold] an unnamed VM lives as long as a turn runs in it, without any lease", async () => {
    const go = new Gate();
    await using at = await SessionWorld.start(
      async ({ until, call }) => {
        await until(go.opened);
        return (await call("list_directory", { path: "/workspace" })).outcome;
      },
      { sidecar: { leaseGraceMs: 1_000, pool: "p", idleMs: 1_000 } },
    );
    const { turnId } = await at.session.send("go");
    await at.client[Symbol.asyncDispose]();
    await at.client.peer.closed;
    at.world.clock.advance(1_000);
    await using next = await at.world.connect();
    at.world.clock.advance(10_000);
    expect(at.world.driver.vms).toHaveLength(1);
    const again = new SessionClient(next, at.session.scope, at.session.sessionId);
    const result = again.result(turnId);
    go.open();
    await expect(result).resolves.toMatchObject({ text: "ok" });
    await expect.poll(() => at.world.driver.vms.length).toBe(0);
    await expect.poll(async () => (await again.info()).state).toBe("closed");
    at.world.clock.advance(1_000);
    await at.world.sidecar.closed;
  });

  test("it lives as well for the turns that wait, and ends with the last", async () => {
    const go = new Gate();
    await using at = await SessionWorld.start(
      async ({ until, prompt }) => {
        await until(go.opened);
        return prompt;
      },
      { sidecar: { leaseGraceMs: 1_000 }, spec: { turnSpacingMs: 60_000 } },
    );
    const turns = [await at.session.send("one"), await at.session.send("two")];
    await at.client[Symbol.asyncDispose]();
    await at.client.peer.closed;
    at.world.clock.advance(1_000);
    await using next = await at.world.connect();
    const again = new SessionClient(next, at.session.scope, at.session.sessionId);
    go.open();
    await again.result(turns[0]?.turnId ?? "");
    await next.peer.request("ping", {});
    expect(at.world.driver.vms).toHaveLength(1);
    at.world.clock.advance(60_000);
    await expect(again.result(turns[1]?.turnId ?? "")).resolves.toMatchObject({ text: "two" });
    await expect.poll(() => at.world.driver.vms.length).toBe(0);
  });

  test("[session.fenced] a takeover ends the running turn as FENCED, and the new holder goes on", async () => {
    await using at = await SessionWorld.start(async ({ prompt, forever }) =>
      prompt === "stay" ? await forever() : prompt,
    );
    const { turnId } = await at.session.send("stay");
    const queued = await at.session.send("queued");
    await using other = await at.world.connect();
    const { lease } = await other.peer.request("vm.attach", {
      vm: at.session.scope.vmId,
      leaseId: "l2",
      mode: "takeover",
    });
    const theirs = new SessionClient(other, lease, at.session.sessionId);
    await expect(theirs.result(turnId)).resolves.toMatchObject({
      stopReason: "error",
      error: { code: "FENCED", details: { fence: 1, currentFence: 2 } },
    });
    await expect(theirs.result(queued.turnId)).resolves.toMatchObject({
      error: { code: "FENCED" },
    });
    await expect(at.session.send("mine")).rejects.toMatchObject({ code: "FENCED" });
    await expect(theirs.prompt("hi")).resolves.toMatchObject({ text: "hi" });
  });

  test("[session.vm-ended] a VM that ends ends its sessions' turns and closes them", async () => {
    await using at = await SessionWorld.start(async ({ forever }) => await forever());
    const { turnId } = await at.session.send("stay");
    at.world.driver.vm(at.session.scope.vmId).die("it was killed");
    await expect(at.session.result(turnId)).resolves.toMatchObject({
      stopReason: "error",
      error: { code: "VM_ENDED" },
    });
    await expect.poll(async () => (await at.session.info()).state).toBe("closed");
    const { events, ended } = await at.session.events();
    expect(ended).toBe(true);
    expect(events.at(-1)).toMatchObject({
      state: "closed",
      reason: expect.stringContaining("killed"),
    });
    expect(at.runtime.agents.size).toBe(0);
  });

  test("a connection without a lease reads its user's sessions, but acts on none", async () => {
    await using at = await SessionWorld.start();
    await using other = await at.world.connect();
    const theirs = new SessionClient(other, at.session.scope, at.session.sessionId);
    await expect(theirs.info()).resolves.toMatchObject({ state: "idle" });
    await expect(theirs.send("hi")).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { kind: "lease" },
    });
  });
});
