import { AgentOsError } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { RelayWorld } from "./relay-world.ts";

/** Paths, addresses, what a terminal obeys, reserved names, and what is too short or long. */
const NO_NAMES = [
  "../x",
  "a/b",
  "a\\b",
  "#x",
  "@x",
  "*",
  "",
  " x",
  "a\u0007b",
  "\u202ex",
  "system",
  "Broker",
  "human:x",
  "x".repeat(129),
];

describe("an agent", () => {
  test("[relay.case-2] is listed once it is spawned, and no longer once it is released", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("Alice", { channels: ["#general"], team: "blue" });
    await expect(relay.agents()).resolves.toMatchObject([
      { name: "Alice", state: "ready", activity: "idle", channels: ["general"], team: "blue" },
    ]);
    await relay.release("alice", "enough");
    await expect(relay.agents()).resolves.toEqual([]);
    await expect(
      relay.client.peer.request("relay.agent", { name: "Alice" }),
    ).resolves.toMatchObject({
      state: "released",
    });
    expect(world.runtime.agents.size).toBe(0);
  });

  test("[relay.case-6] events come in order: spawned, ready, joined, released", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("Alice", { channels: ["general"] });
    await relay.release("Alice", "done");
    const events = await relay.events();
    expect(events.map(({ type }) => type)).toEqual([
      "agent_spawned",
      "agent_ready",
      "channel_joined",
      "continuity_saved",
      "agent_released",
    ]);
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(events.at(-1)).toMatchObject({ agent: "Alice", reason: "done", by: "host" });
  });

  test("[relay.case-4] of an unknown name can't be released", async () => {
    await using world = await RelayWorld.start();
    await expect(world.relay.release("nobody")).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { kind: "agent", id: "nobody" },
    });
  });

  test("[relay.case-7] of a name that lives is refused, and the first one works on", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    await relay.spawn("Alice");
    await expect(relay.spawn("ALICE")).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    const { messageId } = await relay.send("Alice", "hi");
    await relay.until(messageId, "answered");
    await expect(relay.agents()).resolves.toHaveLength(1);
  });

  test("[relay.case-8] six start side by side, and five come and go", async () => {
    await using world = await RelayWorld.start();
    const { relay } = world;
    const names = ["a", "b", "c", "d", "e", "f"];
    await Promise.all(names.map((name) => relay.spawn(name)));
    await expect(relay.agents()).resolves.toHaveLength(6);
    for (const name of ["v", "w", "x", "y", "z"]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other is what is tested.
      await relay.spawn(name);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await relay.release(name);
    }
    await expect(relay.agents()).resolves.toHaveLength(6);
  });

  test("[relay.case-9] gives its name back when it is released and when it dies", async () => {
    await using world = await RelayWorld.start();
    const { relay, runtime } = world;
    const first = await relay.spawn("Alice");
    await relay.release("Alice");
    const second = await relay.spawn("alice");
    expect(second.agentId).not.toBe(first.agentId);
    runtime.agent.exit(0);
    await relay.find(({ type }) => type === "agent_exited");
    await expect(relay.spawn("Alice")).resolves.toMatchObject({ name: "Alice" });
  });

  test.each(NO_NAMES)("[relay.case-52] named %j is refused, and nothing is made", async (name) => {
    await using world = await RelayWorld.start();
    await expect(world.relay.spawn(name)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(world.runtime.opened).toEqual([]);
  });

  test("[relay.case-49] whose program is missing is refused with the reason, and not listed", async () => {
    const missing = new AgentOsError("COMMAND_NOT_FOUND", "no program nope", {
      command: "nope",
      exitCode: 127,
    });
    await using world = await RelayWorld.start(undefined, {
      runtime: { onOpen: () => Promise.reject(missing) },
    });
    const { relay } = world;
    await expect(relay.spawn("Alice", { task: "go" })).rejects.toMatchObject({
      code: "COMMAND_NOT_FOUND",
    });
    await expect(relay.agents()).resolves.toEqual([]);
    expect((await relay.events()).map(({ type }) => type)).not.toContain("agent_spawned");
    await expect(relay.spawn("Alice")).rejects.toMatchObject({ code: "COMMAND_NOT_FOUND" });
  });

  test("the same agentId again is the same agent", async () => {
    await using world = await RelayWorld.start();
    const { client, scope } = world.relay;
    const agent = { name: "Alice", session: { runtime: "scripted" } };
    const params = { ...scope, agentId: "the-one", agent };
    const [first, second] = await Promise.all([
      client.peer.request("relay.spawn", params),
      client.peer.request("relay.spawn", params),
    ]);
    expect(first.agent).toEqual(second.agent);
    expect(world.runtime.opened).toHaveLength(1);
  });

  test("[relay.tenants] and its messages are unknown to another user", async () => {
    await using world = await RelayWorld.start();
    const { relay, sidecar } = world;
    await relay.spawn("Alice");
    const { messageId } = await relay.send("Alice", "secret");
    await using other = await sidecar.connect(await sidecar.keyOf("other"));
    await expect(other.peer.request("relay.agents", {})).resolves.toEqual({ agents: [] });
    const send = { messageId: "m", to: "Alice", text: "x" };
    await expect(other.peer.request("relay.send", send)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(other.peer.request("relay.message", { messageId })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(other.peer.request("relay.events", { after: 0 })).resolves.toMatchObject({
      events: [],
    });
  });
});
