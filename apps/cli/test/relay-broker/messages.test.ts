import { describe, expect, test } from "vitest";

import { parseBrokerArguments } from "../../src/relay-broker/broker-arguments.ts";
import { LINE_BYTES, piecesOf } from "../../src/relay-broker/frame-writer.ts";
import { BrokerWorld } from "./broker-world.ts";

describe("messages", () => {
  test("[broker.case-10] one event id through queued, injected, ack and verified, each once", async () => {
    await using world = new BrokerWorld();
    await world.spawn();
    const sent = await world.client.result("send_message", {
      to: "a",
      text: "hi",
      thread_id: "t1",
      data: { n: 1 },
    });
    expect(sent).toMatchObject({ targets: ["A"], to: "a", delivered: true, state: "accepted" });
    const event_id = sent["event_id"];
    if (typeof event_id !== "string") throw new Error("no event id");
    const delivery = {
      type: "delivery",
      agent: "A",
      deliveryId: `del_${event_id}`,
      messageId: event_id,
      attempts: 1,
    } as const;
    world.gate.happen({ ...delivery, state: "handed_over", confirmation: "turn" });
    world.gate.happen({ ...delivery, state: "consumed", confirmation: "turn" });
    world.gate.happen({ ...delivery, state: "consumed", confirmation: "turn" });
    world.gate.happen({ ...delivery, state: "answered", confirmation: "turn" });
    await world.client.event("delivery_verified");
    expect(world.client.kinds({ event_id })).toEqual([
      "relay_inbound",
      "delivery_queued",
      "delivery_injected",
      "delivery_ack",
      "delivery_active",
      "delivery_verified",
    ]);
    await expect(world.client.event("relay_inbound")).resolves.toMatchObject({
      from: "human:orchestrator",
      target: "A",
      body: "hi",
      thread_id: "t1",
      data: { n: 1 },
    });
    for (const kind of ["queued", "injected", "ack", "verified"])
      await expect(world.client.event(`delivery_${kind}`)).resolves.toMatchObject({
        name: "A",
        delivery_id: `del_${event_id}`,
        event_id,
        confirmation: kind === "queued" ? "none" : "turn",
        timestamp: expect.any(Number),
      });
  });

  test("[broker.case-51] what was only typed is acked as written, and never verified", async () => {
    await using world = new BrokerWorld();
    await world.spawn();
    const { event_id } = await world.client.result("send_message", { to: "A", text: "hi" });
    if (typeof event_id !== "string") throw new Error("no event id");
    const delivery = {
      type: "delivery",
      agent: "A",
      deliveryId: `del_${event_id}`,
      messageId: event_id,
      attempts: 1,
    } as const;
    world.gate.happen({ ...delivery, state: "handed_over", confirmation: "written" });
    await expect(world.client.event("delivery_ack")).resolves.toMatchObject({
      confirmation: "written",
    });
    await world.client.ask("hello");
    expect(world.client.kinds()).not.toContain("delivery_verified");
    const status = await world.client.result("get_status");
    expect(status).toMatchObject({
      pending_deliveries: [{ worker_name: "A", event_id, attempts: 1 }],
    });
  });

  test("[broker.retry] another try of a delivery is told, with how many there were", async () => {
    await using world = new BrokerWorld();
    await world.spawn();
    const { event_id } = await world.client.result("send_message", { to: "A", text: "hi" });
    if (typeof event_id !== "string") throw new Error("no event id");
    const ids = { deliveryId: `del_${event_id}`, messageId: event_id };
    for (const attempts of [1, 2, 3])
      world.gate.happen({ type: "delivery", agent: "A", ...ids, state: "queued", attempts });
    await expect(world.client.event("delivery_retry", { attempts: 3 })).resolves.toMatchObject({
      name: "A",
      event_id,
      delivery_id: ids.deliveryId,
    });
    expect(world.client.kinds({ kind: "delivery_retry" })).toHaveLength(2);
    await expect(world.client.result("get_status")).resolves.toMatchObject({
      pending_deliveries: [{ worker_name: "A", event_id, attempts: 3 }],
    });
  });

  test("[broker.case-57] a release while it waits is told as failed and dropped, once each", async () => {
    await using world = new BrokerWorld();
    await world.spawn();
    const { event_id } = await world.client.result("send_message", { to: "A", text: "hi" });
    if (typeof event_id !== "string") throw new Error("no event id");
    const delivery = {
      type: "delivery",
      agent: "A",
      deliveryId: `del_${event_id}`,
      messageId: event_id,
      attempts: 1,
    } as const;
    world.gate.happen({ ...delivery, state: "dead_lettered", reason: "released" });
    await expect(world.client.event("delivery_dropped")).resolves.toMatchObject({
      name: "A",
      count: 1,
      reason: "released",
      delivery_ids: [`del_${event_id}`],
    });
    await expect(world.client.event("delivery_failed")).resolves.toMatchObject({
      reason: "cancelled",
    });
    expect(world.client.kinds({ event_id })).not.toContain("delivery_ack");
    await expect(world.client.result("get_status")).resolves.toMatchObject({
      pending_delivery_count: 0,
    });
  });

  test("[broker.case-12] nobody is agent_not_found; a channel without members has no targets", async () => {
    await using world = new BrokerWorld();
    await world.spawn("R");
    await world.client.result("release_agent", { name: "R" });
    for (const to of ["Z", "@Z", "R"])
      await expect(world.client.refusal("send_message", { to, text: "t" })).resolves.toBe(
        "agent_not_found",
      );
    expect(world.gate.sent).toEqual([]);
    await expect(
      world.client.result("send_message", { to: "#empty", text: "" }),
    ).resolves.toMatchObject({ targets: [] });
  });

  test("[broker.case-13] senders: blank, human, agent, unknown, and one that can't be", async () => {
    await using world = new BrokerWorld();
    await world.spawn();
    const senders = [undefined, " ", "human:", "human: Bob ", "system", "a", "bob"];
    for (const from of senders)
      await world.client.result("send_message", { to: "A", text: "t", from });
    expect(world.gate.sent.map(({ from }) => from)).toEqual([
      "human:orchestrator",
      "human:orchestrator",
      "human:orchestrator",
      "human:Bob",
      "system",
      "A",
      "human:bob",
    ]);
    const bad = { to: "A", text: "t", from: "x:y" };
    await expect(world.client.refusal("send_message", bad)).resolves.toBe("sender_not_found");
  });

  test("[broker.case-23] what is sent to one that starts waits for it", async () => {
    await using world = new BrokerWorld();
    const gate = Promise.withResolvers<{ warning?: string }>();
    world.gate.onSpawn = () => gate.promise;
    const spawning = world.client.ask("spawn_agent", {
      agent: { name: "A", runtime: "pty", cli: "bash" },
    });
    const sending = world.client.ask("send_message", { to: "A", text: "t" });
    await expect.poll(() => world.gate.spawned.length).toBe(1);
    expect(world.gate.sent).toEqual([]);
    gate.resolve({ warning: "no continuity of Old" });
    await expect(spawning).resolves.toMatchObject({
      payload: { result: { warning: "no continuity of Old" } },
    });
    await expect(sending).resolves.toMatchObject({ type: "ok" });
  });
});

describe("agents' ends", () => {
  test("[broker.case-5] exits, restarts and deaths keep their codes and signals", async () => {
    await using world = new BrokerWorld();
    await world.spawn();
    const { gate, client } = world;
    gate.happen({ type: "agent_idle", agent: "A", idleMs: 30_900 });
    gate.happen({
      type: "agent_restarting",
      agent: "A",
      exitCode: 3,
      signal: null,
      restarts: 1,
      delayMs: 100,
    });
    gate.happen({ type: "agent_restarted", agent: "A", restarts: 1 });
    gate.happen({
      type: "agent_exited",
      agent: "A",
      exitCode: null,
      signal: "SIGKILL",
      reason: "child_exited",
    });
    gate.happen({ type: "agent_dead", agent: "A", reason: "exceeded max restarts (1)" });
    await client.event("agent_permanently_dead", { reason: "exceeded max restarts (1)" });
    expect(client.events.slice(2)).toMatchObject([
      { kind: "agent_idle", idle_secs: 30 },
      { kind: "agent_restarting", code: 3, signal: null, restart_count: 1, delay_ms: 100 },
      { kind: "agent_restarted", restart_count: 1 },
      { kind: "agent_exit", reason: "pty_closed" },
      { kind: "agent_exited", code: null, signal: "SIGKILL" },
      { kind: "agent_permanently_dead" },
    ]);
    await expect(client.result("list_agents")).resolves.toEqual({ agents: [] });
    await world.spawn();
  });
});

describe("lines", () => {
  test("[broker.case-47] 200 KB of output and of a message, and no line that kills a client", async () => {
    await using world = new BrokerWorld();
    const text = `${"\u0001é🙂\n".repeat(40_000)}end`;
    world.gate.outputs.set("A", [text]);
    await world.spawn();
    await world.client.result("send_message", { to: "A", text });
    const inbound = await world.client.event("relay_inbound");
    expect(inbound).toMatchObject({ truncated: true });
    expect(world.gate.sent[0]?.text).toBe(text);
    await expect
      .poll(() =>
        world.client.events
          .filter(({ kind }) => kind === "worker_stream")
          .map(({ chunk }) => chunk)
          .join(""),
      )
      .toBe(text);
    expect(world.client.longest.bytes).toBeLessThanOrEqual(LINE_BYTES);
  });

  test("[broker.case-47] an answer that has no room is an error with its id", async () => {
    await using world = new BrokerWorld();
    const channels = Array.from({ length: 64 }, (_, index) => `${index}`.padEnd(120, "x"));
    for (let index = 0; index < 12; index += 1) await world.spawn(`A${index}`, { channels });
    await expect(world.client.refusal("list_agents")).resolves.toBe("response_too_large");
  });

  test("pieces join to the text, and never cut a character", () => {
    const text = "🙂".repeat(20_000);
    expect(piecesOf(text).join("")).toBe(text);
    for (const piece of piecesOf(text)) expect(piece.isWellFormed()).toBe(true);
    expect(piecesOf("")).toEqual([]);
  });

  test("[broker.case-44] a request of more than 16 MiB is refused, and the next one works", async () => {
    await using world = new BrokerWorld();
    world.client.raw("x".repeat(17 * 1024 * 1024));
    await expect(world.client.ask("hello")).resolves.toMatchObject({ type: "hello_ack" });
    expect(world.client.frames[0]).toMatchObject({
      request_id: null,
      payload: { code: "invalid_request" },
    });
  });
});

describe("its life", () => {
  test("[broker.case-31] it ends by shutdown, by the end of its input, and when it is told to", async () => {
    const first = new BrokerWorld();
    await expect(first.client.result("shutdown")).resolves.toEqual({ status: "shutting_down" });
    await first.served;
    const second = new BrokerWorld();
    second.client.end();
    await second.served;
    const third = new BrokerWorld();
    await third[Symbol.asyncDispose]();
    expect(third.warnings).toEqual([]);
  });

  test("[broker.arguments] the old command line is taken, and what nobody knows refused", () => {
    expect(
      parseBrokerArguments(["init", "--name", "b", "--channels", "a,b", "--api-port", "0"]),
    ).toMatchObject({
      name: "b",
      channels: ["a", "b"],
      copy: false,
    });
    expect(parseBrokerArguments([])).toMatchObject({ channels: ["general"] });
    expect(parseBrokerArguments(["init", "--copy", "--name=x"])).toMatchObject({
      copy: true,
      name: "x",
    });
    expect(() => parseBrokerArguments(["init", "--magic"])).toThrow("unknown argument --magic");
    expect(() => parseBrokerArguments(["--api-port", "80"])).toThrow("there is no HTTP API");
    expect(() => parseBrokerArguments(["--name"])).toThrow("expected a value after --name");
  });
});
