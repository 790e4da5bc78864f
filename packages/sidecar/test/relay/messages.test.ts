import { Gate } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { RelayWorld } from "./relay-world.ts";

const SAID = [
  "unicode ✓ שלום 👩‍👩‍👧 \u202e",
  "\u001b[31mred\u001b[0m\u0007",
  'a "b" \\ c\n\td',
  "",
  "\ud800 half",
];

describe("a message to an agent", () => {
  test("[relay.case-10] is accepted, queued, handed over, consumed and answered, each seen", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const agent = await relay.spawn("Alice");
    const sent = await relay.send("@alice", "hello");
    expect(sent).toMatchObject({ state: "accepted", deliveries: [{ recipient: "Alice" }] });
    await relay.until(sent.messageId, "answered");
    const [delivery] = await relay.deliveries(sent.messageId);
    expect(delivery?.history.map(({ state, confirmation }) => [state, confirmation])).toEqual([
      ["accepted", undefined],
      ["queued", undefined],
      ["handed_over", undefined],
      ["consumed", "turn"],
      ["answered", "turn"],
    ]);
    expect(world.heard(agent.agentId)).toEqual(["hello"]);
  });

  test("[relay.case-11] of one id is one message, however often it is sent", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const agent = await relay.spawn("Alice");
    const first = await relay.send("Alice", "once", { messageId: "m" });
    const second = await relay.send("Alice", "once", { messageId: "m" });
    expect(second.deliveries).toEqual(first.deliveries);
    await relay.until("m", "answered");
    await relay.send("Alice", "once", { messageId: "m" });
    expect(world.heard(agent.agentId)).toEqual(["once"]);
  });

  test("[relay.case-12] that is unknown or released is refused, and nothing is stored", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("Alice");
    await relay.release("Alice");
    for (const to of ["Alice", "nobody"]) {
      // oxlint-disable-next-line no-await-in-loop -- Two cases of one test.
      await expect(relay.send(to, "x", { messageId: "m" })).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
    }
    await expect(relay.deliveries("m")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("[relay.case-14] keeps its thread, and its data arrives", async () => {
    await using world = await RelayWorld.start();
    const { relay, runtime } = world;
    await relay.spawn("Alice");
    const sent = await relay.send("Alice", "x", { threadId: "t 1", data: { n: [1, { a: null }] } });
    expect(sent.threadId).toBe("t 1");
    await relay.until(sent.messageId, "answered");
    const head = JSON.stringify(runtime.prompts[0]?.content);
    expect(head).toContain(String.raw`thread \"t 1\"`);
    expect(head).toContain(String.raw`{\"n\":[1,{\"a\":null}]}`);
  });

  test.each(SAID)("[relay.case-18] of the text %j arrives as it is", async (text) => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const agent = await relay.spawn("Alice");
    const { messageId } = await relay.send("Alice", text);
    await relay.until(messageId, "answered");
    expect(world.heard(agent.agentId)).toEqual([text]);
    const { messages } = await relay.client.peer.request("relay.history", {});
    expect(messages[0]?.text).toBe(text);
  });

  test("[relay.case-15] that is urgent comes before those that wait, which keep their order", async () => {
    const gate = new Gate();
    await using world = await RelayWorld.start(async ({ content, until }) => {
      await until(JSON.stringify(content).includes("first") ? gate.opened : Promise.resolve());
      return "ok";
    });
    const { relay } = world;
    const agent = await relay.spawn("Alice");
    const first = await relay.send("Alice", "first");
    await relay.until(first.messageId, "consumed");
    const later = await relay.send("Alice", "later-1", { priority: 4 });
    await relay.send("Alice", "later-2", { priority: 4 });
    await relay.send("Alice", "usual-1");
    await relay.send("Alice", "urgent", { priority: 0, mode: "wait" });
    const last = await relay.send("Alice", "usual-2");
    gate.open();
    await relay.until(later.messageId, "answered");
    await relay.until(last.messageId, "answered");
    const heard = world.heard(agent.agentId);
    expect(heard).toEqual(["first", "urgent", "usual-1", "usual-2", "later-1", "later-2"]);
  });

  test("[relay.mailbox] beyond its mailbox's bound is refused; of many, the others get it", async () => {
    const gate = new Gate();
    await using world = await RelayWorld.start(async ({ until }) => {
      await until(gate.opened);
      return "ok";
    });
    const { relay } = world;
    await relay.spawn("Full", { channels: ["c"] });
    await relay.spawn("Free", { channels: ["c"] });
    const first = await relay.send("Full", "x");
    await relay.until(first.messageId, "consumed");
    await Promise.all(Array.from({ length: 1_000 }, () => relay.send("Full", "x")));
    await expect(relay.send("Full", "one more")).rejects.toMatchObject({
      code: "MAILBOX_FULL",
      retryable: true,
      details: { limit: "mailboxMessages", capacity: 1_000 },
    });
    const { messageId } = await relay.send("#c", "to both");
    await relay.until(messageId, "consumed");
    await expect(relay.deliveries(messageId)).resolves.toMatchObject([
      { recipient: "Full", state: "dead_lettered", reason: "mailbox_full" },
      { recipient: "Free", state: "consumed" },
    ]);
    gate.open();
  });

  test("[relay.size] of 1 MiB in pieces is a file of its VM; one byte more is refused", async () => {
    await using world = await RelayWorld.start();
    const { relay, runtime } = world;
    const { peer } = relay.client;
    await relay.spawn("Alice");
    const text = "é".repeat(512 * 1024);
    const append = async (messageId: string, whole: string): Promise<void> => {
      for (let offset = 0; offset < whole.length; offset += 100_000) {
        const piece = whole.slice(offset, offset + 100_000);
        // oxlint-disable-next-line no-await-in-loop -- In order.
        await peer.request("relay.append", { messageId, offset, text: piece });
      }
    };
    await append("long", text);
    await peer.request("relay.send", { messageId: "long", to: "Alice" });
    await relay.until("long", "answered");
    const content = JSON.stringify(runtime.prompts[0]?.content);
    expect(content).toContain('"path":"/tmp/agentos-messages/long.txt"');
    await append("longer", `${text}x`);
    await expect(
      peer.request("relay.send", { messageId: "longer", to: "Alice" }),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(
      peer.request("relay.send", { messageId: "none", to: "Alice" }),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test.each([{ priority: 5 }, { priority: -1 }, { messageId: "a b" }, { threadId: "" }])(
    "[relay.case-44] with %j is refused",
    async (more) => {
      await using world = await RelayWorld.start();
      await world.relay.spawn("Alice");
      await expect(world.relay.send("Alice", "x", more)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    },
  );
});

describe("messages to many", () => {
  test("[relay.case-16] of a channel go to its members, and not to who wrote them", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("a", { channels: ["c"] });
    await relay.spawn("b", { channels: ["#C"] });
    await relay.spawn("other", { channels: ["d"] });
    const sent = await relay.send("#c", "x", { from: "a" });
    expect(sent.deliveries.map(({ recipient }) => recipient)).toEqual(["b"]);
    await relay.client.peer.request("relay.join", { name: "other", channel: "#c" });
    await relay.client.peer.request("relay.leave", { name: "b", channel: "c" });
    const later = await relay.send("#c", "x");
    expect(later.deliveries.map(({ recipient }) => recipient)).toEqual(["a", "other"]);
    await expect(
      relay.client.peer.request("relay.leave", { name: "b", channel: "c" }),
    ).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("[relay.case-17] to everybody and to a team reach each of them; to nobody is no failure", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("a", { team: "blue" });
    await relay.spawn("b", { team: "Blue" });
    await relay.spawn("c");
    const names = async (to: string, from?: string): Promise<string[]> => {
      const sent = await relay.send(to, "x", from === undefined ? {} : { from });
      return sent.deliveries.map(({ recipient }) => recipient);
    };
    await expect(names("*")).resolves.toEqual(["a", "b", "c"]);
    await expect(names("*", "c")).resolves.toEqual(["a", "b"]);
    await expect(names("team:blue", "a")).resolves.toEqual(["b"]);
    await expect(names("#empty")).resolves.toEqual([]);
  });

  test("[relay.case-19] [relay.case-20] a burst arrives whole and in order, and three agents' messages do not mix", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const agents = await Promise.all(["a", "b", "c"].map((name) => relay.spawn(name)));
    const sent = await Promise.all(
      Array.from({ length: 60 }, (_, index) => {
        const to = ["a", "b", "c"][index % 3] ?? "a";
        return relay.send(to, `${to}-${index}`);
      }),
    );
    await Promise.all(sent.map(({ messageId }) => relay.until(messageId, "answered")));
    for (const [at, { agentId, name }] of agents.entries()) {
      const expected = Array.from({ length: 20 }, (_, index) => `${name}-${at + index * 3}`);
      expect(world.heard(agentId)).toEqual(expected);
    }
  });

  test("[relay.case-56] ten agents get a hundred messages each once, without a second try", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const names = Array.from({ length: 10 }, (_, index) => `agent ${index}`);
    const agents = await Promise.all(names.map((name) => relay.spawn(name)));
    const sent = await Promise.all(
      names.flatMap((name) =>
        Array.from({ length: 100 }, (_, index) => relay.send(name, `${index}`)),
      ),
    );
    const isQuiet = async (): Promise<boolean> =>
      (await relay.agents()).every(({ pending, activity }) => pending === 0 && activity === "idle");
    await expect.poll(isQuiet).toBe(true);
    const all = Array.from({ length: 100 }, (_, index) => `${index}`);
    for (const { agentId } of agents) expect(world.heard(agentId)).toEqual(all);
    const found = await Promise.all(sent.map(({ messageId }) => relay.deliveries(messageId)));
    expect(found.flat().every(({ attempts }) => attempts === 1)).toBe(true);
  });

  test("[relay.blocked] one that is stuck holds up nobody else", async () => {
    await using world = await RelayWorld.start(async ({ content, forever }) =>
      JSON.stringify(content).includes("stay") ? await forever() : "ok",
    );
    const { relay } = world;
    await relay.spawn("stuck", { channels: ["c"] });
    await relay.spawn("free", { channels: ["c"] });
    const first = await relay.send("stuck", "stay");
    await relay.until(first.messageId, "consumed");
    const { messageId } = await relay.send("#c", "hello");
    await relay.until(messageId, "answered");
    await expect(relay.deliveries(messageId)).resolves.toMatchObject([
      { recipient: "stuck", state: "queued" },
      { recipient: "free", state: "answered" },
    ]);
  });
});

describe("people", () => {
  test("[relay.people] have an inbox: what they read is consumed, and the next look is empty", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("Alice");
    const sent = await relay.send("human:kim", "for you", { from: "Alice" });
    const [entry] = await relay.inbox({ of: "human:Kim" });
    expect(entry).toMatchObject({ message: { from: "Alice", text: "for you" } });
    const deliveryIds = [entry?.delivery.deliveryId ?? ""];
    await relay.client.peer.request("relay.read", { deliveryIds });
    await expect(relay.inbox({ of: "human:kim" })).resolves.toEqual([]);
    await expect(relay.inbox({ of: "human:kim", all: true })).resolves.toHaveLength(1);
    await expect(relay.deliveries(sent.messageId)).resolves.toMatchObject([{ state: "consumed" }]);
  });
});

describe("what was said", () => {
  test("[relay.history] is found by channel, thread, agent and text", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const { peer } = relay.client;
    await relay.spawn("a", { channels: ["c"] });
    await relay.spawn("b");
    await relay.send("#c", "one 100%");
    await relay.send("b", "two", { from: "a", threadId: "t" });
    await relay.send("b", "three", { threadId: "t" });
    const texts = async (query: Parameters<typeof peer.request<"relay.history">>[1]) =>
      (await peer.request("relay.history", query)).messages.map(({ text }) => text);
    await expect(texts({ channel: "#C" })).resolves.toEqual(["one 100%"]);
    await expect(texts({ threadId: "t" })).resolves.toEqual(["three", "two"]);
    await expect(texts({ agent: "a" })).resolves.toEqual(["two", "one 100%"]);
    await expect(texts({ text: "00%" })).resolves.toEqual(["one 100%"]);
    await expect(texts({ text: "%o" })).resolves.toEqual([]);
    const { threads } = await peer.request("relay.threads", {});
    expect(threads[0]).toMatchObject({ threadId: "t", messages: 2, preview: "three" });
    expect(threads[0]?.participants.toSorted()).toEqual(["a", "b", "human:orchestrator"]);
  });
});
