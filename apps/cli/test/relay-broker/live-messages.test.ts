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

  test("[broker.case-20] [broker.case-56] ten agents get a hundred each, in between one another: none lost, twice or another's", async () => {
    await using world = await LiveWorld.start();
    const names = numbers(10).map((index) => `A${index}`);
    await Promise.all(names.map((name) => world.spawn(name)));
    const sent = numbers(1_000).map((index) => `${names[index % 10]} ${index}`);
    await Promise.all(sent.map((text) => world.send(text.split(" ")[0] ?? "", text)));
    await expect.poll(() => world.heard.length).toBe(1_000);
    const of = (name: string) => world.heard.filter((text) => text.startsWith(`${name} `));
    for (const name of names)
      expect(of(name)).toEqual(sent.filter((text) => text.startsWith(`${name} `)));
    const own = new Map(
      world.pty.promptedSessions.map((id, index) => [id, world.heard[index]?.split(" ")[0]]),
    );
    for (const [index, id] of world.pty.promptedSessions.entries())
      expect(world.heard[index]?.split(" ")[0]).toBe(own.get(id));
    expect(world.client.kinds()).not.toContain("delivery_retry");
  });

  test("[broker.case-21] [broker.case-22] states only go on, and nothing comes after an end", async () => {
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
    await world.client.event("delivery_dropped", { event_id: waits });
    await world.client.ask("hello");
    const kinds = (event_id: string) => world.client.kinds({ event_id }).slice(1);
    expect(kinds(done)).toEqual([
      "delivery_queued",
      "delivery_injected",
      "delivery_ack",
      "delivery_active",
      "delivery_verified",
    ]);
    expect(kinds(cut).at(-1)).toMatch(/delivery_(failed|dropped)/);
    expect(kinds(cut)).not.toContain("delivery_verified");
    expect(kinds(waits)).toEqual(["delivery_queued", "delivery_failed", "delivery_dropped"]);
  });

  test("[broker.case-33] each event has a place in their order, and a time", async () => {
    await using world = await LiveWorld.start();
    await world.spawn("Ann");
    const event_id = await world.send("Ann", "x");
    await world.client.event("delivery_verified", { event_id });
    const seqs = world.client.events.map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    for (const event of world.client.events.filter(({ kind }) => kind !== "worker_stream"))
      expect(event["timestamp"]).toEqual(expect.any(Number));
  });
});
