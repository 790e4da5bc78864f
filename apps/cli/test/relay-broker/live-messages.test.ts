import { describe, expect, test } from "vitest";

import { LiveWorld } from "./live-world.ts";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe("messages through a broker", () => {
  test("[broker.case-11] [broker.case-19] a burst arrives whole, in order, each once", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    const texts = numbers(60).map((index) => `m${index}`);
    const ids = await Promise.all(texts.map((text) => world.send("Ann", text)));
    await world.client.event("delivery_verified", { event_id: ids.at(-1) });
    expect(world.heard).toEqual(texts);
    expect(new Set(ids).size).toBe(60);
    expect(world.client.kinds()).not.toContain("delivery_retry");
  });

  test("[broker.case-14] the thread stays as it was given, end to end", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    const event_id = await world.send("Ann", "x", { thread_id: "t/1 é" });
    await expect(world.client.event("relay_inbound", { event_id })).resolves.toMatchObject({
      thread_id: "t/1 é",
    });
    await expect.poll(() => JSON.stringify(world.pty.prompts[0]?.content)).toContain("t/1 é");
  });

  test("[broker.case-15] what is urgent comes before what waits, whatever was sent first", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    const busy = Promise.withResolvers<string>();
    world.pty.script = async () => await busy.promise;
    const first = await world.send("Ann", "busy");
    await world.client.event("delivery_active", { event_id: first });
    for (const index of numbers(3)) await world.send("Ann", `low ${index}`, { priority: 4 });
    await world.send("Ann", "usual");
    const urgent = await world.send("Ann", "urgent", { priority: 0 });
    world.pty.script = async () => "ok";
    busy.resolve("ok");
    await world.client.event("delivery_verified", { event_id: urgent });
    await expect.poll(() => world.heard.length).toBe(6);
    expect(world.heard).toEqual(["busy", "urgent", "usual", "low 0", "low 1", "low 2"]);
    await expect(
      world.client.refusal("send_message", { to: "Ann", text: "x", priority: 5 }),
    ).resolves.toBe("invalid_request");
  });

  test("[broker.case-16] [broker.case-17] a channel's members get its messages, its sender and others don't", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann", { channels: ["red"] });
    await world.spawn("Bob", { channels: ["red", "blue"] });
    await world.spawn("Cem", { channels: ["blue"] });
    const send = async (to: string, from?: string) =>
      (await world.client.result("send_message", { to, text: to, from }))["targets"];
    await expect(send("#red")).resolves.toEqual(["Ann", "Bob"]);
    await expect(send("#red", "Ann")).resolves.toEqual(["Bob"]);
    await expect(send("#blue")).resolves.toEqual(["Bob", "Cem"]);
    await expect(send("*", "Bob")).resolves.toEqual(["Ann", "Cem"]);
    await expect(send("#empty")).resolves.toEqual([]);
    await expect.poll(() => world.heard.length).toBe(7);
    const queued = (): Set<unknown> =>
      new Set(
        world.client.events
          .filter(({ kind }) => kind === "delivery_queued")
          .map(({ delivery_id }) => delivery_id),
      );
    await expect.poll(() => queued().size).toBe(7);
  });

  test("[broker.case-18] text of any characters and length comes as it is", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    const texts = [
      "",
      "שלום مرحبا 👩‍👩‍👧 e\u0301",
      'quotes " and \\ back',
      "two\nlines\r\n\ttab",
      "\u001b]0;title\u0007\u001b[2J",
      "x".repeat(4_096),
      "é".repeat(8_192),
    ];
    for (const text of texts) await world.send("Ann", text);
    await expect.poll(() => world.heard.length).toBe(texts.length);
    expect(world.heard).toEqual(texts);
  });

  test("[broker.case-20] [broker.case-56] ten agents get a hundred each, in between one another, the urgent one first: none lost, twice or another's", async () => {
    await using world = await LiveWorld.start();
    const names = numbers(10).map((index) => `A${index}`);
    await Promise.all(names.map((name) => world.spawn(name)));
    const on = Promise.withResolvers<string>();
    world.pty.script = async () => await on.promise;
    for (const name of names) {
      const event_id = await world.send(name, `${name} busy`);
      await world.client.event("delivery_active", { event_id });
    }
    const sent = numbers(1_000).map((index) => ({
      to: names[index % 10] ?? "",
      text: `${names[index % 10]} ${index}`,
      priority: index < 990 ? 2 : 0,
    }));
    await Promise.all(sent.map(({ to, text, priority }) => world.send(to, text, { priority })));
    world.pty.script = async () => "ok";
    on.resolve("ok");
    await expect.poll(() => world.heard.length).toBe(1_010);
    const told = new Map<string, string[]>();
    for (const [index, session] of world.pty.promptedSessions.entries())
      told.set(session, [...(told.get(session) ?? []), world.heard[index] ?? ""]);
    const expected = names.map((name, index) => {
      const usual = sent.filter(({ to, priority }) => to === name && priority === 2);
      return [`${name} busy`, `${name} ${990 + index}`, ...usual.map(({ text }) => text)];
    });
    expect([...told.values()].toSorted(([a = ""], [b = ""]) => (a < b ? -1 : 1))).toEqual(expected);
    expect(world.client.kinds()).not.toContain("delivery_retry");
  });

  test("[broker.case-21] who waits for an ack gets one, after its answer; after a failure none comes", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    const settled = async (text: string): Promise<unknown> => {
      const event_id = await world.send("Ann", text);
      const frame = await world.client.frame(
        ({ payload }) =>
          payload["event_id"] === event_id &&
          /^delivery_(ack|failed)$/.test(String(payload["kind"])),
      );
      const answered = world.client.frames.findIndex(({ payload: { result } }) =>
        JSON.stringify(result ?? null).includes(event_id),
      );
      expect(answered).toBeLessThan(world.client.frames.indexOf(frame));
      return frame.payload["kind"];
    };
    await expect(settled("hello")).resolves.toBe("delivery_ack");
    await expect(settled("stay")).resolves.toBe("delivery_ack");
    const failing = settled("waits for ever");
    await expect.poll(() => world.client.kinds({ kind: "delivery_queued" }).length).toBe(3);
    // Its client has stopped waiting, whatever it did: what comes now is the end, and the only one.
    await world.client.result("release_agent", { name: "Ann" });
    await expect(failing).resolves.toBe("delivery_failed");
    await world.client.ask("hello");
    const acks = world.client.kinds({ kind: "delivery_ack" });
    expect(acks).toHaveLength(2);
  });

  test("[broker.case-22] [broker.case-57] the states of each event id only go on: delivered or dropped, never both", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    const done = await world.send("Ann", "hello");
    await world.client.event("delivery_verified", { event_id: done });
    const cut = await world.send("Ann", "stay");
    await world.client.event("delivery_active", { event_id: cut });
    const waits = await world.send("Ann", "waits");
    await world.client.event("delivery_queued", { event_id: waits });
    await world.client.result("release_agent", { name: "Ann" });
    await expect(world.client.event("delivery_failed", { event_id: cut })).resolves.toMatchObject({
      reason: "cancelled",
    });
    await expect(
      world.client.event("delivery_dropped", { event_id: waits }),
    ).resolves.toMatchObject({ name: "Ann", count: 1, reason: "released" });
    await world.client.ask("hello");
    const kinds = (event_id: string) => world.client.kinds({ event_id }).slice(1);
    const seen = ["delivery_queued", "delivery_injected", "delivery_ack", "delivery_active"];
    expect(kinds(done)).toEqual([...seen, "delivery_verified"]);
    expect(kinds(cut)).toEqual([...seen, "delivery_failed"]);
    expect(kinds(waits)).toEqual(["delivery_queued", "delivery_failed", "delivery_dropped"]);
  });

  test("[broker.case-13] an agent's message to another is told as its own", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    await world.spawn("Bob");
    const event_id = await world.send("Bob", "hello", { from: "ann" });
    await expect(world.client.event("relay_inbound", { event_id })).resolves.toMatchObject({
      from: "Ann",
      target: "Bob",
    });
    await expect
      .poll(() => JSON.stringify(world.pty.prompts[0]?.content))
      .toContain(String.raw`from \"Ann\"`);
  });

  test("[broker.case-23] the first task comes once, after its agent is ready and before all else, and not again after a restart", async () => {
    await using world = await LiveWorld.start();
    const restart_policy = { enabled: true, cooldown_ms: 1_000 };
    await world.spawn("Ann", { restart_policy }, { initial_task: "begin" });
    await world.send("Ann", "exit-3", { priority: 0 });
    await world.client.event("agent_restarting", { name: "Ann" });
    world.clock.advance(1_000);
    await world.client.event("agent_restarted", { name: "Ann" });
    const event_id = await world.send("Ann", "more");
    await world.client.event("delivery_verified", { event_id });
    expect(world.heard).toEqual(["begin", "exit-3", "more"]);
    const task = await world.client.event("relay_inbound", { body: "begin" });
    expect(task).toMatchObject({ from: "broker", event_id: expect.stringMatching(/^init_/) });
    const kinds = world.client.kinds();
    expect(kinds.indexOf("worker_ready")).toBeLessThan(kinds.indexOf("delivery_injected"));
  });

  test("[broker.case-33] a client's buffer finds events by kind and name: each has both as its agent has them, a place in their order, and a time", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    await world.spawn("Bob");
    const event_id = await world.send("ann", "x");
    await world.client.event("delivery_verified", { event_id });
    await world.client.result("release_agent", { name: "ANN" });
    await world.client.event("agent_released");
    const { events } = world.client;
    const found = (kind: string, name: string) =>
      events.filter((event) => event["kind"] === kind && event["name"] === name).length;
    const deliveries = ["delivery_queued", "delivery_injected", "delivery_ack", "delivery_active"];
    const kinds = ["agent_spawned", "worker_ready", "worker_stream", "agent_released"];
    for (const kind of [...kinds, ...deliveries, "delivery_verified"])
      expect([kind, found(kind, "Ann")]).toEqual([kind, 1]);
    expect(found("agent_spawned", "Bob")).toBe(1);
    expect(found("delivery_queued", "Bob")).toBe(0);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    for (const event of events) expect(event["timestamp"]).toEqual(expect.any(Number));
  });
});
