import { describe, expect, test, vi } from "vitest";

import { LiveWorld } from "./live-world.ts";

const restart = { enabled: true, max_restarts: 9, cooldown_ms: 1_000, max_consecutive_failures: 9 };

const set = (model: string) => ({ name: "Ann", model, timeout_ms: 5_000 });

async function count(world: LiveWorld): Promise<unknown> {
  return (await world.client.result("get_status"))["agent_count"];
}

describe("agents of a broker", () => {
  test("[broker.case-2] [broker.case-3] [broker.case-4] spawns and releases are counted and listed; an unknown one can't be released", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    await world.spawn("Bob");
    await expect(count(world)).resolves.toBe(2);
    await expect(world.client.result("list_agents")).resolves.toMatchObject({
      agents: [{ name: "Ann", cli: "bash", runtime: "pty", activity: "idle" }, { name: "Bob" }],
    });
    await world.client.result("release_agent", { name: "ann" });
    await expect(count(world)).resolves.toBe(1);
    await world.client.result("release_agent", { name: "Bob" });
    await expect(count(world)).resolves.toBe(0);
    await expect(world.client.refusal("release_agent", { name: "Ann" })).resolves.toBe(
      "agent_not_found",
    );
    expect(world.client.kinds({ name: "Ann" })).toEqual([
      "agent_spawned",
      "worker_ready",
      "agent_released",
    ]);
  });

  test("[broker.case-8] six start side by side, and one comes and goes five times", async () => {
    await using world = await LiveWorld.start();
    await Promise.all(["A", "B", "C", "D", "E", "F"].map((name) => world.spawn(name)));
    await expect(count(world)).resolves.toBe(6);
    for (let cycle = 0; cycle < 5; cycle += 1) {
      const agent = { name: "Again", runtime: "pty", cli: "bash" };
      // oxlint-disable-next-line no-await-in-loop -- One cycle after the other.
      await world.client.result("spawn_agent", { agent });
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await world.client.result("release_agent", { name: "Again" });
    }
    await expect(count(world)).resolves.toBe(6);
    const released = { kind: "agent_released", name: "Again" };
    await expect.poll(() => world.client.kinds(released).length).toBe(5);
  });

  test("[broker.case-9] a name is free again after an exit, and the new one is another", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    await world.send("Ann", "exit-0");
    await expect(world.client.event("agent_exited", { name: "Ann" })).resolves.toMatchObject({
      code: 0,
    });
    await expect(world.client.refusal("send_message", { to: "Ann", text: "x" })).resolves.toBe(
      "agent_not_found",
    );
    await world.spawn("ann");
    const event_id = await world.send("Ann", "hello");
    await world.client.event("delivery_verified", { event_id });
    expect(world.heard).toEqual(["exit-0", "hello"]);
  });

  test("[broker.case-7] a duplicate name is refused, and the first one works on", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    const agent = { name: "ANN", runtime: "pty", cli: "bash" };
    await expect(world.client.refusal("spawn_agent", { agent })).resolves.toBe("duplicate_name");
    const event_id = await world.send("Ann", "still there");
    await world.client.event("delivery_verified", { event_id });
    await expect(count(world)).resolves.toBe(1);
    expect(world.client.kinds({ kind: "agent_spawned" })).toHaveLength(1);
  });

  test("[broker.case-25] who waits for idle or exit hears the one that comes: silence, an end by itself, a release", async () => {
    await using world = await LiveWorld.start();
    for (const name of ["Ann", "Bob", "Cem"])
      await world.spawn(name, {}, { idle_threshold_secs: 5 });
    /** As clients wait: the first of these about the agent, from now on. */
    const settled = async (name: string): Promise<unknown> => {
      const from = world.client.frames.length;
      const { payload } = await world.client.frame(
        (frame) =>
          world.client.frames.indexOf(frame) >= from &&
          frame.payload["name"] === name &&
          /^agent_(idle|exited|released)$/.test(String(frame.payload["kind"])),
      );
      return payload["kind"];
    };
    const [ann, bob, cem] = [settled("Ann"), settled("Bob"), settled("Cem")];
    await world.send("Bob", "exit-0");
    await expect(bob).resolves.toBe("agent_exited");
    await world.client.result("release_agent", { name: "Cem" });
    await expect(cem).resolves.toBe("agent_released");
    world.clock.advance(5_100);
    await expect(ann).resolves.toBe("agent_idle");
    await world.client.ask("hello");
    expect(world.client.kinds({ kind: "agent_idle" })).toHaveLength(1);
    expect(world.client.kinds({ name: "Bob", kind: "agent_exit" })).toHaveLength(1);
  });

  test("[broker.case-34] a spawn and a release are answered once, and told as what they came to: hooks around them are called once", async () => {
    await using world = await LiveWorld.start({ isClaudeMissing: true });
    const hooked: string[] = [];
    const around = async (type: string, payload: object): Promise<void> => {
      hooked.push(`${type} start`);
      const frame = await world.client.ask(type, { ...payload });
      hooked.push(`${type} ${frame.type === "ok" ? "success" : String(frame.payload["code"])}`);
    };
    await around("spawn_agent", { agent: { name: "Ann", runtime: "pty", cli: "bash" } });
    await around("spawn_agent", {
      agent: { name: "Bob", runtime: "headless", provider: "claude" },
    });
    await around("release_agent", { name: "Ann" });
    await around("release_agent", { name: "Ann" });
    await world.client.ask("hello");
    expect(hooked).toEqual([
      "spawn_agent start",
      "spawn_agent success",
      "spawn_agent start",
      "spawn_agent spawn_failed",
      "release_agent start",
      "release_agent success",
      "release_agent start",
      "release_agent agent_not_found",
    ]);
    expect(world.client.kinds({ name: "Bob" })).toEqual([]);
    expect(world.client.frames.filter(({ type }) => type !== "event")).toHaveLength(5);
  });

  test("[broker.case-24] idle is told once at the threshold, and again after work; 0 is never", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann", {}, { idle_threshold_secs: 5 });
    await world.spawn("Bob", {}, { idle_threshold_secs: 0 });
    const idle = (): unknown[] => world.client.kinds({ kind: "agent_idle" });
    world.clock.advance(4_900);
    await world.client.ask("hello");
    expect(idle()).toEqual([]);
    world.clock.advance(200);
    await expect(world.client.event("agent_idle")).resolves.toMatchObject({
      name: "Ann",
      idle_secs: 5,
    });
    world.clock.advance(60_000);
    const event_id = await world.send("Ann", "work");
    await world.client.event("delivery_verified", { event_id });
    expect(idle()).toHaveLength(1);
    world.clock.advance(5_100);
    await expect.poll(() => idle().length).toBe(2);
    expect(world.client.kinds({ kind: "agent_idle", name: "Bob" })).toEqual([]);
  });

  test("[broker.case-26] [broker.case-54] one that exits with 3 is started again, ever later, until the policy ends it", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann", { restart_policy: { ...restart, max_restarts: 4 } });
    for (const [index, delay_ms] of [1_000, 2_000, 4_000, 8_000].entries()) {
      await world.send("Ann", "exit-3");
      const restart_count = index + 1;
      // oxlint-disable-next-line no-await-in-loop -- One death after the other.
      await expect(
        world.client.event("agent_restarting", { restart_count }),
      ).resolves.toMatchObject({ name: "Ann", code: 3, signal: null, delay_ms });
      world.clock.advance(delay_ms);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await world.client.event("agent_restarted", { restart_count });
    }
    await world.send("Ann", "exit-3");
    await expect(world.client.event("agent_permanently_dead")).resolves.toMatchObject({
      name: "Ann",
      reason: "exceeded max restarts (4)",
    });
    const ends = world.client
      .kinds({ name: "Ann" })
      .filter((kind) => /exited|dead/.test(String(kind)));
    expect(ends).toEqual(["agent_exited", "agent_permanently_dead"]);
  });

  test("[broker.case-26] `{}` is the policy's defaults, a disabled one is death with its reason, and a release ends a restart", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann", { restart_policy: {} });
    await world.spawn("Bob", { restart_policy: { enabled: false } });
    await world.spawn("Cem");
    for (const name of ["Ann", "Bob", "Cem"]) await world.send(name, "exit-3");
    await expect(world.client.event("agent_restarting")).resolves.toMatchObject({
      name: "Ann",
      delay_ms: 2_000,
    });
    await expect(
      world.client.event("agent_permanently_dead", { name: "Bob" }),
    ).resolves.toMatchObject({ reason: "restart policy disabled" });
    await world.client.event("agent_exited", { name: "Cem", code: 3 });
    await world.client.result("release_agent", { name: "Ann" });
    world.clock.advance(60_000);
    await world.client.ask("hello");
    await world.client.event("agent_released", { name: "Ann" });
    expect(world.client.kinds({ name: "Ann" })).not.toContain("agent_restarted");
    await expect(count(world)).resolves.toBe(0);
  });

  test("[broker.case-27] a crash has its category and code, and lowers the score by 10", async () => {
    await using world = await LiveWorld.start();
    for (const [name, code] of [
      ["Ann", 3],
      ["Bob", 139],
      ["Cem", 3],
    ] as const) {
      await world.spawn(name);
      await world.send(name, `exit-${code}`);
      await world.client.event("agent_exited", { name, code });
    }
    const insights = await world.client.result("get_crash_insights");
    expect(insights).toMatchObject({
      total_crashes: 3,
      health_score: 70,
      recent: [
        { agent_name: "Ann", exit_code: 3, signal: null, category: "error" },
        { agent_name: "Bob", exit_code: 139, category: "segfault" },
        { agent_name: "Cem", exit_code: 3, category: "error" },
      ],
      patterns: [
        { category: "error", count: 2, agents: ["Ann", "Cem"] },
        { category: "segfault", count: 1 },
      ],
    });
    await expect(world.client.result("get_metrics")).resolves.toMatchObject({
      agents: [],
      broker: { total_agents_spawned: 3, total_crashes: 3, active_agents: 0 },
    });
  });

  test("[broker.case-28] metrics of an unknown agent are an error, and the status has what waits", async () => {
    await using world = await LiveWorld.start();
    await expect(world.client.refusal("get_metrics", { agent: "Ann" })).resolves.toBe(
      "agent_not_found",
    );
    await world.spawn("Ann");
    await expect(world.client.result("get_metrics", { agent: "ann" })).resolves.toMatchObject({
      agents: [{ name: "Ann" }],
    });
    const busy = await world.send("Ann", "stay");
    await world.client.event("delivery_active", { event_id: busy });
    const event_id = await world.send("Ann", "waits");
    await world.client.event("delivery_queued", { event_id });
    await expect(world.client.result("get_status")).resolves.toMatchObject({
      pending_delivery_count: 2,
      pending_deliveries: [
        { worker_name: "Ann", event_id: busy, attempts: 1 },
        { worker_name: "Ann", event_id, delivery_id: expect.stringMatching(/^del_/) },
      ],
    });
  });

  test("[broker.case-30] one that is released leaves its task and why; the next goes on from it, and from nobody starts all the same", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Old", {}, { initial_task: "paint the wall" });
    const event_id = await world.send("Old", "in blue");
    await world.client.event("delivery_verified", { event_id });
    await world.client.result("release_agent", { name: "Old", reason: "half is done" });
    const again = { initial_task: "go on", continue_from: "Old" };
    await world.spawn("New", {}, again);
    await expect.poll(() => world.heard.at(-1)).toContain("half is done");
    const told = world.heard.at(-1) ?? "";
    expect(told).toMatch(/^## Continuity Context/);
    for (const part of ["paint the wall", "in blue", "## Current Task\ngo on"])
      expect(told).toContain(part);
    const agent = { name: "Third", runtime: "pty", cli: "bash" };
    await expect(
      world.client.result("spawn_agent", { agent, continue_from: "Nobody" }),
    ).resolves.toMatchObject({ warning: expect.stringContaining("Nobody") });
  });

  test("[broker.case-50] a headless agent is answered once its provider is there, and refused where it can't be", async () => {
    await using world = await LiveWorld.start({ isClaudeMissing: true });
    const agent = { name: "Ann", runtime: "headless", provider: "claude" };
    await expect(world.client.refusal("spawn_agent", { agent })).resolves.toBe("spawn_failed");
    const unknown = { ...agent, provider: "nobody" };
    await expect(world.client.refusal("spawn_agent", { agent: unknown })).resolves.toBe(
      "spawn_failed",
    );
    await expect(world.client.result("list_agents")).resolves.toEqual({ agents: [] });
    await using other = await LiveWorld.start();
    vi.stubEnv("ANTHROPIC_API_KEY", "made-up-key");
    await other.client.result("spawn_agent", { agent });
    vi.unstubAllEnvs();
    expect(other.claude.agents.size).toBe(1);
    // The runtime's, which gives it to the gateway; no VM gets it.
    expect(other.claude.opened[0]?.spec.provider).toEqual({
      name: "anthropic",
      apiKey: "made-up-key",
    });
  });

  test("[broker.case-55] a shadow gets copies of both directions, itself starts no loop, and hears of the end", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Main", { channels: ["c"] });
    await world.spawn("Eye", { shadow_of: "Main", shadow_mode: "all_messages" });
    for (const shadow_of of ["Eye", "Nobody"]) {
      const agent = { name: "Second", runtime: "pty", cli: "bash", shadow_of };
      // oxlint-disable-next-line no-await-in-loop -- One refusal after the other.
      await expect(world.client.refusal("spawn_agent", { agent })).resolves.toBe("invalid_request");
    }
    await world.send("Main", "to it");
    await world.send("#c", "from it", { from: "Main" });
    await expect
      .poll(() => world.heard.filter((text) => text.startsWith("[")))
      .toEqual(["[human:orchestrator to Main] to it", "[Main to #c] from it"]);
    await world.client.result("release_agent", { name: "Main" });
    await expect.poll(() => world.heard.at(-1)).toContain("SESSION_END");
    expect(world.heard).toHaveLength(4);
  });

  test("[broker.case-58] a model that the agent confirmed is a success, any other an error", async () => {
    const models: string[] = [];
    await using world = await LiveWorld.start({
      controls: {
        setModel: async (model) => {
          if (model === "bad") throw new Error("no such model");
          models.push(model);
        },
      },
    });
    await world.spawn("Ann");
    await expect(world.client.result("set_model", set("opus"))).resolves.toMatchObject({
      model: "opus",
      success: true,
    });
    await expect(world.client.refusal("set_model", set("bad"))).resolves.toBe(
      "model_switch_failed",
    );
    await expect(world.client.result("list_agents")).resolves.toMatchObject({
      agents: [{ model: "opus" }],
    });
    expect(models).toEqual(["opus"]);
    await using plain = await LiveWorld.start();
    await plain.spawn("Ann");
    await expect(plain.client.refusal("set_model", set("opus"))).resolves.toBe(
      "model_switch_failed",
    );
  });
});
