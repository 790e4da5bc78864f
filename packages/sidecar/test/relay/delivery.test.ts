import { afterEach, describe, expect, test, vi } from "vitest";

import { bodyOf, RelayWorld } from "./relay-world.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

afterEach(() => {
  vi.useRealTimers();
});

/** Stays in its turn where it is asked to, until it is told to go on. */
async function busyWorld(runtime: Parameters<typeof RelayWorld.start>[1] = {}) {
  const on = Promise.withResolvers<string>();
  const world = await RelayWorld.start(
    async ({ content }) => (JSON.stringify(content).includes("stay") ? await on.promise : "ok"),
    runtime,
  );
  const { agentId } = await world.relay.spawn("Alice");
  const { messageId } = await world.relay.send("Alice", "stay");
  await world.relay.until(messageId, "consumed");
  return { world, agentId, first: messageId, goOn: () => on.resolve("ok") };
}

describe("a message", () => {
  test("[relay.expiry] that waits for a day expires, and its sender is told; one that the agent is at does not", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { world, first, goOn } = await busyWorld();
    const { relay, sidecar } = world;
    const old = await relay.send("Alice", "waits", { from: "human:kim" });
    vi.setSystemTime(Date.now() + DAY_MS / 2);
    const young = await relay.send("Alice", "is younger");
    vi.setSystemTime(Date.now() + DAY_MS / 2);
    sidecar.clock.advance(DAY_MS);
    await relay.until(old.messageId, "expired");
    await expect(relay.deliveries(old.messageId)).resolves.toMatchObject([
      { state: "expired", reason: "too_old", attempts: 0 },
    ]);
    await expect(relay.inbox({ of: "human:kim" })).resolves.toMatchObject([
      { message: { kind: "notice", replyTo: old.messageId, data: { state: "expired" } } },
    ]);
    const [seen] = await relay.deliveries(first);
    expect(seen?.state).not.toBe("expired");
    goOn();
    await relay.until(young.messageId, "answered");
    expect(world.runtime.prompts).toHaveLength(2);
    await world[Symbol.asyncDispose]();
  });

  test("[relay.steer] reaches the running turn where it is urgent or asks for it, and ends with that turn", async () => {
    const steered: string[] = [];
    const steer = async (content: unknown): Promise<void> => void steered.push(bodyOf(content));
    const { world, goOn } = await busyWorld({ runtime: { controls: { steer } } });
    const { relay } = world;
    const asked = await relay.send("Alice", "asked", { mode: "steer" });
    const urgent = await relay.send("Alice", "urgent", { priority: 0 });
    const waits = await relay.send("Alice", "waits", { priority: 0, mode: "wait" });
    const usual = await relay.send("Alice", "usual");
    await relay.until(asked.messageId, "consumed");
    await relay.until(urgent.messageId, "consumed");
    expect(steered).toEqual(["asked", "urgent"]);
    await expect(relay.deliveries(urgent.messageId)).resolves.toMatchObject([
      {
        state: "consumed",
        history: [
          { state: "accepted" },
          { state: "queued" },
          { state: "handed_over", confirmation: "steer" },
          { state: "consumed", confirmation: "steer" },
        ],
      },
    ]);
    await expect(relay.deliveries(waits.messageId)).resolves.toMatchObject([{ state: "queued" }]);
    goOn();
    for (const { messageId } of [asked, urgent, waits, usual])
      // oxlint-disable-next-line no-await-in-loop -- Each has its own end.
      await relay.until(messageId, "answered");
    expect(world.runtime.prompts.map(({ content }) => bodyOf(content))).toEqual([
      "stay",
      "waits",
      "usual",
    ]);
    await world[Symbol.asyncDispose]();
  });

  test("[relay.steer] that can't be steered waits as any other, and comes once", async () => {
    const { world, agentId, goOn } = await busyWorld({
      runtime: { controls: { steer: async () => await Promise.reject(new Error("not now")) } },
    });
    const { relay } = world;
    const { messageId } = await relay.send("Alice", "urgent", { priority: 0 });
    goOn();
    await relay.until(messageId, "answered");
    expect(world.heard(agentId)).toEqual(["stay", "urgent"]);
    await world[Symbol.asyncDispose]();
  });

  test("[relay.typed] to a terminal is handed over as written at most, however often its turns end", async () => {
    const capabilities = { transport: "terminal" as const };
    await using world = await RelayWorld.start(undefined, { runtime: { capabilities } });
    const { relay } = world;
    const { agentId } = await relay.spawn("Alice");
    const { messageId } = await relay.send("Alice", "typed");
    await relay.until(messageId, "handed_over");
    const second = await relay.send("Alice", "more");
    await relay.until(second.messageId, "handed_over");
    await relay.release("Alice");
    await expect(relay.deliveries(messageId)).resolves.toMatchObject([
      {
        state: "handed_over",
        history: [
          { state: "accepted" },
          { state: "queued" },
          { state: "handed_over", confirmation: "written" },
        ],
      },
    ]);
    await expect(relay.client.peer.request("relay.deadLetters", {})).resolves.toEqual({
      entries: [],
    });
    expect(world.heard(agentId)).toEqual(["typed", "more"]);
  });

  test("[relay.stored] that can't be written is refused, and its place in the mailbox is free", async () => {
    await using world = await RelayWorld.start(async ({ forever }) => await forever(), {
      sidecar: { storeBytes: 2 * 1024 * 1024 },
    });
    const { relay } = world;
    await relay.spawn("Alice");
    const text = "x".repeat(200_000);
    const sends = Array.from({ length: 20 }, () =>
      relay.send("Alice", text).then(
        () => "ok",
        (error: unknown) => error,
      ),
    );
    const results = await Promise.all(sends);
    expect(results).toContain("ok");
    expect(results.filter((each) => each !== "ok").length).toBeGreaterThan(5);
    const stored = results.filter((each) => each === "ok").length;
    const [alice] = await relay.agents();
    expect(alice?.pending).toBeLessThanOrEqual(stored);
    expect(results.find((each) => each !== "ok")).toMatchObject({ code: "INTERNAL" });
  });
});
