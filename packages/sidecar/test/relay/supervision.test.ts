import { AgentOsError } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { RelayWorld } from "./relay-world.ts";

const MINUTE_MS = 60_000;

describe("an agent that dies by itself", () => {
  test("[relay.case-5] is told with its true code, its mail becomes dead letters, and their sender hears of it", async () => {
    await using world = await RelayWorld.start(async ({ content, forever }) =>
      JSON.stringify(content).includes("stay") ? await forever() : "ok",
    );
    const { relay, runtime } = world;
    await relay.spawn("Alice");
    const first = await relay.send("Alice", "stay");
    await relay.until(first.messageId, "consumed");
    const waiting = await relay.send("Alice", "waits", { from: "human:kim" });
    runtime.agent.exit(3);
    await expect(relay.find(({ type }) => type === "agent_exited")).resolves.toMatchObject({
      exitCode: 3,
      signal: null,
    });
    await expect(relay.deliveries(first.messageId)).resolves.toMatchObject([{ state: "failed" }]);
    await expect(relay.deliveries(waiting.messageId)).resolves.toMatchObject([
      { state: "dead_lettered", reason: "agent_exited" },
    ]);
    await expect(relay.inbox({ of: "human:kim" })).resolves.toMatchObject([
      { message: { kind: "notice", replyTo: waiting.messageId, data: { recipient: "Alice" } } },
    ]);
    await expect(relay.agents()).resolves.toEqual([]);
  });

  test("[relay.case-26] is started again after its cooldown, keeps its mail, and is given up at its bound", async () => {
    await using world = await RelayWorld.start();
    const { relay, runtime, sidecar } = world;
    const agent = await relay.spawn("Alice", { restart: { maxRestarts: 1, cooldownMs: 1_000 } });
    runtime.agent.exit(3);
    await expect(relay.find(({ type }) => type === "agent_restarting")).resolves.toMatchObject({
      exitCode: 3,
      restarts: 1,
      delayMs: 1_000,
    });
    const { messageId } = await relay.send("Alice", "kept");
    await expect(relay.agents()).resolves.toMatchObject([{ state: "restarting", pending: 1 }]);
    sidecar.clock.advance(1_000);
    await relay.find(({ type }) => type === "agent_restarted");
    await relay.until(messageId, "answered");
    expect(world.heard(agent.agentId)).toEqual(["kept"]);
    runtime.agent.exit(3);
    await expect(relay.find(({ type }) => type === "agent_dead")).resolves.toMatchObject({
      reason: "exceeded max restarts (1)",
    });
    const types = (await relay.events()).map(({ type }) => type);
    expect(types.indexOf("agent_exited")).toBeLessThan(types.indexOf("agent_dead"));
    expect(types.filter((type) => type === "agent_exited")).toHaveLength(1);
  });

  test("[relay.case-54] again and again is waited for twice as long each time, until a healthy minute ends the row", async () => {
    await using world = await RelayWorld.start();
    const { relay, runtime, sidecar } = world;
    const restart = { maxRestarts: 10, cooldownMs: 1_000, maxConsecutiveFailures: 3 };
    await relay.spawn("Alice", { restart });
    const die = async (count: number): Promise<number> => {
      runtime.agent.exit(3);
      const event = await relay.find(
        (each) => each.type === "agent_restarting" && each.restarts === count,
      );
      const delayMs = event.type === "agent_restarting" ? event.delayMs : 0;
      sidecar.clock.advance(delayMs);
      await relay.find((each) => each.type === "agent_restarted" && each.restarts === count);
      return delayMs;
    };
    await expect(die(1)).resolves.toBe(1_000);
    await expect(die(2)).resolves.toBe(2_000);
    sidecar.clock.advance(MINUTE_MS);
    await expect(die(3)).resolves.toBe(1_000);
    await expect(die(4)).resolves.toBe(2_000);
    await expect(die(5)).resolves.toBe(4_000);
    runtime.agent.exit(3);
    await expect(relay.find(({ type }) => type === "agent_dead")).resolves.toMatchObject({
      reason: "exceeded max consecutive failures (3)",
    });
  });

  test("[relay.restart-ends] with a clean exit, or a policy that is off, stays gone; a release ends a pending restart", async () => {
    await using world = await RelayWorld.start();
    const { relay, runtime, sidecar } = world;
    await relay.spawn("clean", { restart: {} });
    runtime.agent.exit(0);
    await expect(relay.find(({ type }) => type === "agent_exited")).resolves.toMatchObject({
      exitCode: 0,
    });
    await relay.spawn("off", { restart: { enabled: false } });
    runtime.agent.exit(1);
    await expect(relay.find(({ type }) => type === "agent_dead")).resolves.toMatchObject({
      agent: "off",
      reason: "restart policy disabled",
    });
    await relay.spawn("pending", { restart: {} });
    runtime.agent.exit(1);
    await relay.find(({ type }) => type === "agent_restarting");
    await relay.release("pending");
    sidecar.clock.advance(MINUTE_MS);
    await expect(relay.agents()).resolves.toEqual([]);
    expect((await relay.events()).map(({ type }) => type)).not.toContain("agent_restarted");
  });

  test("[relay.case-27] leaves a crash record with category, code and uptime, and lowers the score", async () => {
    await using world = await RelayWorld.start();
    const { relay, runtime, sidecar } = world;
    const { peer } = relay.client;
    const limited = { signal: "SIGKILL", limit: "memoryBytes" };
    const ends = [
      { code: null, more: limited },
      { code: null, more: { signal: "SIGKILL" } },
      { code: 139, more: {} },
      { code: 137, more: {} },
      { code: 3, more: {} },
    ];
    for (const [index, { code, more }] of ends.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await relay.spawn(`agent ${index}`);
      sidecar.clock.advance(5_000);
      runtime.agent.exit(code, more);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await relay.find(
        (event) => event.type === "agent_exited" && event.agent.endsWith(`${index}`),
      );
    }
    const health = await peer.request("relay.health", {});
    expect(health).toMatchObject({ crashes: 5, score: 50 });
    expect(
      health.recent.map(({ category, exitCode, uptimeMs }) => [category, exitCode, uptimeMs]),
    ).toEqual([
      // Only the VM's own limit says that memory was short.
      ["oom", null, 5_000],
      ["signal", null, 5_000],
      ["segfault", 139, 5_000],
      ["error", 137, 5_000],
      ["error", 3, 5_000],
    ]);
    expect(health.patterns).toContainEqual({ category: "oom", count: 1, agents: ["agent 0"] });
  });

  test("[relay.vm-ends] with its VM is told as that", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("Alice", { restart: {} });
    const { vmId } = relay.scope;
    await relay.client.peer.request("vm.end", { vm: vmId });
    await expect(relay.find(({ type }) => type === "agent_exited")).resolves.toMatchObject({
      agent: "Alice",
    });
    await expect(relay.agents()).resolves.toEqual([]);
  });
});

describe("looking after agents", () => {
  test("[relay.case-23] its task is said once, as soon as it is ready and before all else", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const agent = await relay.spawn("Alice", { task: "begin" });
    const { messageId } = await relay.send("Alice", "then this", { priority: 0, mode: "wait" });
    await relay.until(messageId, "answered");
    expect(world.heard(agent.agentId)).toEqual(["begin", "then this"]);
  });

  test("[relay.case-24] idle is told once for each silence, and work is none", async () => {
    await using world = await RelayWorld.start();
    const { relay, sidecar } = world;
    await relay.spawn("Alice", { idleMs: 1_000 });
    sidecar.clock.advance(1_000);
    await relay.find(({ type }) => type === "agent_idle");
    sidecar.clock.advance(10_000);
    const { messageId } = await relay.send("Alice", "x");
    await relay.until(messageId, "answered");
    const idles = async () => (await relay.events({ types: ["agent_idle"] })).length;
    await expect(idles()).resolves.toBe(1);
    sidecar.clock.advance(2_000);
    await expect.poll(idles).toBe(2);
  });

  test("[relay.nudge] an idle one is reminded, and released where that is in vain", async () => {
    await using world = await RelayWorld.start();
    const { relay, sidecar } = world;
    const nudge = {
      afterMs: 1_000,
      escalateAfterMs: 1_000,
      text: "go on",
      atEnd: "release",
    } as const;
    const agent = await relay.spawn("Alice", { idleMs: 1_000, nudge });
    sidecar.clock.advance(1_000);
    sidecar.clock.advance(1_000);
    await relay.find(({ type }) => type === "agent_nudged");
    await expect.poll(() => world.heard(agent.agentId)).toEqual(["go on"]);
    await expect.poll(async () => (await relay.agents())[0]?.activity).toBe("idle");
    sidecar.clock.advance(1_000);
    sidecar.clock.advance(1_000);
    sidecar.clock.advance(1_000);
    await expect(relay.find(({ type }) => type === "agent_released")).resolves.toMatchObject({
      reason: "idle",
      by: "broker",
    });
  });

  test("[relay.case-28] metrics of an unknown one are an error; those of all have the counts", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const { peer } = relay.client;
    await relay.spawn("Alice");
    await expect(peer.request("relay.metrics", { name: "nobody" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(peer.request("relay.metrics", {})).resolves.toMatchObject({
      agents: [{ name: "Alice", pids: [], memoryBytes: null }],
      relay: { spawned: 1, active: 1, crashes: 0, restarts: 0 },
    });
  });

  test("[relay.case-29] input goes to a terminal's agent, and is refused by one without", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("Alice");
    const { peer } = relay.client;
    await expect(peer.request("relay.input", { name: "Alice", data: "x" })).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    await expect(peer.request("relay.input", { name: "x", data: "x" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  test("[relay.case-58] a model that was not switched is no success", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("Alice", { session: { model: "m-1" } });
    const asked = { name: "Alice", model: "m-2" };
    await expect(relay.client.peer.request("relay.setModel", asked)).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    await expect(relay.agents()).resolves.toMatchObject([{ model: "m-1" }]);
  });

  test("[relay.case-30] one goes on from what another left; where there is nothing, it starts all the same", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const { client, scope } = relay;
    await relay.spawn("Alice", { task: "count" });
    const { messageId } = await relay.send("Alice", "to seven", { from: "human:kim" });
    await relay.until(messageId, "answered");
    await relay.release("Alice", "came to three");
    const next = await relay.spawn("Bob", { task: "go on", continueFrom: "alice" });
    await expect.poll(() => world.heard(next.agentId)).toHaveLength(1);
    const [task] = world.heard(next.agentId);
    expect(task).toContain("## Continuity Context");
    expect(task).toContain("came to three");
    expect(task).toContain("- human:kim: to seven");
    expect(task).toContain("## Current Task\ngo on");
    const agent = { name: "Eve", session: { runtime: "scripted" }, continueFrom: "nobody" };
    await expect(
      client.peer.request("relay.spawn", { ...scope, agentId: "eve", agent }),
    ).resolves.toMatchObject({ warning: "there is no continuity of nobody" });
  });

  test("[relay.case-55] a shadow reads along, hears of its primary's end, and never of itself", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const primary = await relay.spawn("primary");
    const shadow = await relay.spawn("shadow", { shadowOf: "Primary", shadowMode: "all_messages" });
    const { messageId } = await relay.send("primary", "in");
    await relay.until(messageId, "answered");
    await relay.send("human:kim", "out", { from: "primary" });
    await relay.send("primary", "own", { from: "shadow" });
    await relay.release("primary");
    await expect
      .poll(() => world.heard(shadow.agentId))
      .toEqual([
        "[human:orchestrator to Primary] in",
        "[Primary to human:kim] out",
        "SESSION_END: primary is gone.",
      ]);
    expect(world.heard(primary.agentId)).toEqual(["in", "own"]);
    for (const spec of [{ shadowOf: "nobody" }, { shadowOf: "shadow" }]) {
      // oxlint-disable-next-line no-await-in-loop -- Two cases of one test.
      await expect(relay.spawn("other", spec)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });

  test("[relay.case-57] what is on its way at a release is delivered or dropped, never both", async () => {
    await using world = await RelayWorld.start(async ({ forever }) => await forever());
    const { relay } = world;
    await relay.spawn("Alice");
    const first = await relay.send("Alice", "running");
    await relay.until(first.messageId, "consumed");
    const second = await relay.send("Alice", "waiting");
    await relay.release("Alice");
    const ends = async (id: string) =>
      (await relay.events({ messageId: id, types: ["delivery"] })).map((event) =>
        event.type === "delivery" ? event.state : "",
      );
    await expect(ends(first.messageId)).resolves.toEqual([
      "queued",
      "handed_over",
      "consumed",
      "failed",
    ]);
    await expect(ends(second.messageId)).resolves.toEqual(["queued", "dead_lettered"]);
  });

  test("[relay.dead-letters] are listed with their reason, and redelivered once", async () => {
    await using world = await RelayWorld.start(async ({ content, forever }) =>
      JSON.stringify(content).includes("stay") ? await forever() : "ok",
    );
    const { relay } = world;
    const { peer } = relay.client;
    await relay.spawn("Alice");
    const first = await relay.send("Alice", "stay");
    await relay.until(first.messageId, "consumed");
    const { messageId } = await relay.send("Alice", "lost");
    await relay.release("Alice");
    const { entries } = await peer.request("relay.deadLetters", {});
    expect(entries).toMatchObject([
      { message: { text: "lost" }, delivery: { recipient: "Alice", reason: "released" } },
    ]);
    const deliveryId = entries[0]?.delivery.deliveryId ?? "";
    await expect(peer.request("relay.redeliver", { deliveryId })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    const next = await relay.spawn("Bob");
    await peer.request("relay.redeliver", { deliveryId, to: "Bob" });
    await relay.until(messageId, "answered");
    expect(world.heard(next.agentId)).toEqual(["lost"]);
    await expect(peer.request("relay.redeliver", { deliveryId, to: "Bob" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(peer.request("relay.deadLetters", {})).resolves.toEqual({ entries: [] });
  });

  test("[relay.preflight] says of each agent whether it could start", async () => {
    const missing = new AgentOsError("MISSING_KEY", "no key", { provider: "p", variables: [] });
    await using world = await RelayWorld.start(undefined, {
      runtime: {
        check: ({ model }) => (model === "no" ? Promise.reject(missing) : Promise.resolve()),
      },
    });
    const { relay } = world;
    const agents = ["yes", "no"].map((model) => ({
      name: model,
      session: { runtime: "scripted", model },
    }));
    const asked = { ...relay.scope, agents };
    await expect(relay.client.peer.request("relay.preflight", asked)).resolves.toMatchObject({
      queued: 2,
    });
    const found = async () => await relay.events({ types: ["agent_preflight"] });
    await expect.poll(async () => (await found()).length).toBe(2);
    expect(await found()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ agent: "yes", ok: true }),
        expect.objectContaining({ agent: "no", ok: false, detail: "no key" }),
      ]),
    );
    expect(world.runtime.opened).toEqual([]);
  });

  test("[relay.case-33] the log is asked for by agent, kind and place", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("a");
    await relay.spawn("b");
    await expect(relay.events({ agent: "B" })).resolves.toMatchObject([
      { type: "agent_spawned", agent: "b" },
      { type: "agent_ready", agent: "b" },
    ]);
    await expect(relay.events({ types: ["agent_ready"], limit: 1 })).resolves.toMatchObject([
      { agent: "a" },
    ]);
    await expect(relay.events({ after: 3 })).resolves.toHaveLength(1);
  });
});
