import { describe, expect, test } from "vitest";

import { RelayWorld } from "./relay-world.ts";

describe("a message to an agent", () => {
  test("is accepted, queued, handed over, consumed and answered, each seen", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const agent = await relay.spawn("Alice");
    const sent = await relay.send("alice", "hello");
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
});
