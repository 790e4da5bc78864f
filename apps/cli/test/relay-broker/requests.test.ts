import { AgentOsError } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { BrokerWorld, DIRECTORY } from "./broker-world.ts";
import { taken } from "./fake-gate.ts";

const BAD_NAMES = [
  "../x",
  "a/b",
  "a\\b",
  "#x",
  "@x",
  "*",
  "human:x",
  "system",
  "Broker",
  "a\u0000b",
  "x".repeat(129),
];

describe("requests", () => {
  test("[broker.case-1] hello is a hello_ack with both versions, and no key", async () => {
    await using world = new BrokerWorld();
    const { type, payload } = await world.client.ask("hello", { client_name: "x", extra: 1 });
    expect(type).toBe("hello_ack");
    expect(payload).toEqual({ broker_version: expect.any(String), protocol_version: 1 });
  });

  test("[broker.case-44] wrong version, type and payload are answered with the request's id", async () => {
    await using world = new BrokerWorld();
    const { client } = world;
    client.raw('{"v":2,"type":"hello","request_id":"a","payload":{}}');
    client.raw('{"v":1,"type":"magic","request_id":"b","payload":{}}');
    client.raw(
      '{"v":1,"type":"send_message","request_id":"c","payload":{"to":"A","priority":9,"text":"t"}}',
    );
    client.raw('{"v":1,"type":"spawn_agent","request_id":"d","payload":{"agent":{"name":"A"}}}');
    client.raw('{"v":1,"type":7,"request_id":"e"}');
    client.raw("no JSON at all");
    client.raw('["an","array"]');
    client.raw("");
    await client.ask("hello");
    const errors = client.frames.filter(({ type }) => type === "error");
    // Answers may come in any order.
    const codes = errors.map(
      ({ request_id, payload }) => `${request_id} ${String(payload["code"])}`,
    );
    expect(codes.toSorted()).toEqual([
      "a unsupported_version",
      "b unknown_type",
      "c invalid_request",
      "d invalid_request",
      "e invalid_request",
      "null invalid_request",
      "null invalid_request",
    ]);
    expect(errors.find(({ request_id }) => request_id === "c")?.payload["message"]).toContain(
      "payload.priority",
    );
    expect(errors.find(({ request_id }) => request_id === "d")?.payload["message"]).toContain(
      "payload.agent.runtime",
    );
  });

  test("[broker.case-6] the answer comes before what it brought about, and the kinds in order", async () => {
    await using world = new BrokerWorld();
    const { client } = world;
    await world.spawn();
    await client.result("release_agent", { name: "A", reason: "done" });
    await client.event("agent_released");
    const order = client.frames.map(({ type, payload }) =>
      type === "event" ? payload["kind"] : type,
    );
    expect(order).toEqual(["ok", "agent_spawned", "worker_ready", "ok", "agent_released"]);
    const spawned = await client.event("agent_spawned");
    expect(spawned).toMatchObject({
      name: "A",
      runtime: "pty",
      cli: "bash",
      pid: 100,
      pre_registered: false,
    });
    expect(client.events.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  test("[broker.case-7] a duplicate name is refused at once, whatever its case; it is free after the release", async () => {
    await using world = new BrokerWorld();
    await world.spawn("Ann");
    const agent = { name: "ANN", runtime: "pty", cli: "bash" };
    await expect(world.client.refusal("spawn_agent", { agent })).resolves.toBe("duplicate_name");
    expect(world.gate.spawned).toHaveLength(1);
    await world.client.result("release_agent", { name: "ann" });
    await expect(world.client.result("spawn_agent", { agent })).resolves.toMatchObject({
      name: "ANN",
    });
    world.gate.onSpawn = async (name) => await Promise.reject(taken(name));
    const other = { agent: { ...agent, name: "elsewhere" } };
    await expect(world.client.refusal("spawn_agent", other)).resolves.toBe("duplicate_name");
  });

  test.each(BAD_NAMES)("[broker.case-52] the name %j is refused", async (name) => {
    await using world = new BrokerWorld();
    const agent = { name, runtime: "pty", cli: "bash" };
    await expect(world.client.refusal("spawn_agent", { agent })).resolves.toBe(
      "invalid_agent_name",
    );
    expect(world.gate.spawned).toEqual([]);
  });

  test("[broker.case-49] what can't be started is spawn_failed, and nothing is listed", async () => {
    await using world = new BrokerWorld();
    world.gate.onSpawn = () =>
      Promise.reject(
        new AgentOsError("COMMAND_NOT_FOUND", "there is no program nope", {
          command: "nope",
          exitCode: 127,
        }),
      );
    const agent = { name: "A", runtime: "pty", cli: "nope" };
    await expect(world.client.refusal("spawn_agent", { agent })).resolves.toBe("spawn_failed");
    const headless = { name: "B", runtime: "headless", provider: "nobody" };
    await expect(world.client.refusal("spawn_agent", { agent: headless })).resolves.toBe(
      "spawn_failed",
    );
    await expect(world.client.result("list_agents")).resolves.toEqual({ agents: [] });
    await expect(world.client.refusal("release_agent", { name: "A" })).resolves.toBe(
      "agent_not_found",
    );
  });

  test("[broker.spawn] fields reach the relay in its own terms, null as if left out", async () => {
    await using world = new BrokerWorld();
    const agent = {
      name: "A",
      runtime: "pty",
      provider: null,
      cli: "claude:opus",
      args: ["-x"],
      channels: ["general", "dev"],
      cwd: "/work",
      team: "t",
      restart_policy: {
        enabled: true,
        max_restarts: 2,
        cooldown_ms: 100,
        max_consecutive_failures: null,
      },
    };
    await world.client.result("spawn_agent", {
      agent,
      initial_task: "go",
      idle_threshold_secs: 7,
      continue_from: "Old",
    });
    const headless = {
      name: "B",
      runtime: "headless",
      provider: "claude",
      args: ["--model", "haiku", "--verbose"],
    };
    await world.client.result("spawn_agent", { agent: headless, initial_task: "  " });
    expect(world.gate.spawned).toMatchObject([
      {
        cwd: "/work",
        options: {
          runtime: "pty",
          command: "claude",
          args: ["--model", "opus", "-x"],
          channels: ["general", "dev"],
          team: "t",
          task: "go",
          idleMs: 7_000,
          continueFrom: "Old",
          restart: { enabled: true, maxRestarts: 2, cooldownMs: 100 },
        },
      },
      { cwd: DIRECTORY, options: { runtime: "claude-code", model: "haiku", args: ["--verbose"] } },
    ]);
    expect(world.gate.spawned[1]?.options).not.toHaveProperty("task");
    expect(world.gate.spawned[0]?.options.restart).not.toHaveProperty("maxConsecutiveFailures");
  });

  test.each([
    ["claude:opus", { command: "claude", args: ["--model", "opus", "-x"] }, "opus"],
    ["codex --full-auto", { command: "codex", args: ["--model", "m", "--full-auto", "-x"] }, "m"],
    ["gemini", { command: "gemini", args: ["--model", "m", "-x"] }, "m"],
    ["goose", { command: "goose", args: ["--model", "m", "-x"] }, "m"],
    ["aider --model=own", { command: "aider", args: ["--model=own", "-x"] }, "own"],
    ["/opt/bin/aider", { command: "/opt/bin/aider", args: ["--model", "m", "-x"] }, "m"],
    ["droid", { command: "droid", args: ["-x"] }, null],
    ["cursor", { command: "agent", args: ["-x"] }, null],
    ["opencode", { command: "opencode", args: ["-x"] }, null],
    ["./a:b", { command: "./a:b", args: ["-x"] }, null],
  ])("[broker.presets] the program %j is called as it is meant", async (cli, called, model) => {
    await using world = new BrokerWorld();
    await world.spawn("A", { cli, args: ["-x"], model: "m" });
    expect(world.gate.spawned[0]?.options).toMatchObject({ runtime: "pty", ...called });
    await expect(world.client.result("list_agents")).resolves.toMatchObject({
      agents: [{ cli, model }],
    });
  });

  test("[broker.case-29] input, model, status, metrics and insights in v1's shapes", async () => {
    await using world = new BrokerWorld();
    const { client, gate } = world;
    await world.spawn("A");
    await expect(client.result("send_input", { name: "@a", data: "é\r" })).resolves.toEqual({
      name: "A",
      bytes_written: 3,
    });
    await expect(client.result("set_model", { name: "A", model: "m2" })).resolves.toMatchObject({
      model: "m2",
      success: true,
    });
    gate.onModel = () =>
      Promise.reject(new AgentOsError("MODEL_SWITCH_FAILED", "no", { model: "m3", reason: "no" }));
    const failing = { name: "A", model: "m3" };
    await expect(client.refusal("set_model", failing)).resolves.toBe("model_switch_failed");
    await expect(client.result("list_agents")).resolves.toMatchObject({
      agents: [{ name: "A", runtime: "pty", cli: "bash", model: "m2", pid: 100 }],
    });
    await expect(client.result("get_status")).resolves.toMatchObject({
      agent_count: 1,
      pending_delivery_count: 0,
    });
    await expect(client.result("get_metrics")).resolves.toMatchObject({
      agents: [{ name: "A", pid: 100, memory_bytes: 1_000, uptime_secs: 2 }],
      broker: { uptime_secs: 9, total_agents_spawned: 1, active_agents: 1 },
    });
    await expect(client.refusal("get_metrics", { agent: "Z" })).resolves.toBe("agent_not_found");
    await expect(client.result("get_crash_insights")).resolves.toMatchObject({
      total_crashes: 1,
      recent: [{ agent_name: "A", exit_code: 3, timestamp: 5, uptime_secs: 1, category: "error" }],
      health_score: 90,
    });
    const asked = { agents: [{ name: "P", cli: "codex" }] };
    await expect(client.result("preflight_agents", asked)).resolves.toEqual({ queued: 1 });
    await expect(client.event("agent_preflight")).resolves.toMatchObject({
      name: "P",
      cli: "codex",
      ok: true,
    });
  });

  test("[broker.case-60] pipelined requests are answered exactly once each", async () => {
    await using world = new BrokerWorld();
    await world.spawn();
    const asked = Array.from({ length: 400 }, (_, index) =>
      index % 4 === 0
        ? world.client.ask("nothing")
        : world.client.ask("send_message", { to: "A", text: `${index}` }),
    );
    await Promise.all(asked);
    const ids = world.client.frames.flatMap(({ request_id }) => request_id ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(401);
    expect(world.gate.sent.map(({ text }) => text)).toHaveLength(300);
  });
});
