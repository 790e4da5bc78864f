import { ScriptedRuntime } from "@agentos/testing";
import { expect, test } from "vitest";

import { Lives } from "../adoption/lives.ts";
import { bodyOf, RelayClient, RelayWorld } from "./relay-world.ts";

test("[relay.hold] held mail stays, whatever its priority, until as much as waits is flushed, or it is let go", async () => {
  await using world = await RelayWorld.start();
  const { relay } = world;
  const { peer } = relay.client;
  const { agentId } = await relay.spawn("Ann");
  const heard = (): string[] => world.heard(agentId);
  await peer.request("relay.hold", { name: "ann", held: true });
  await expect(relay.agents()).resolves.toMatchObject([{ held: true, pending: 0 }]);
  await relay.send("Ann", "usual");
  const urgent = await relay.send("Ann", "urgent", { priority: 0 });
  await expect(relay.agents()).resolves.toMatchObject([{ pending: 2, activity: "idle" }]);
  expect(heard()).toEqual([]);
  await expect(peer.request("relay.flush", { name: "Ann" })).resolves.toEqual({ count: 2 });
  await relay.until(urgent.messageId, "answered");
  const later = await relay.send("Ann", "later");
  await expect.poll(async () => (await relay.agents())[0]?.pending).toBe(1);
  expect(heard()).toEqual(["urgent", "usual"]);
  await peer.request("relay.hold", { name: "Ann", held: false });
  await relay.until(later.messageId, "answered");
  expect(heard()).toEqual(["urgent", "usual", "later"]);
  await expect(peer.request("relay.flush", { name: "Ann" })).resolves.toEqual({ count: 0 });
  const types = ["agent_held", "agent_flushed"];
  await expect(relay.events({ types })).resolves.toMatchObject([
    { type: "agent_held", held: true },
    { type: "agent_flushed", count: 2 },
    { type: "agent_held", held: false },
    { type: "agent_flushed", count: 0 },
  ]);
  await expect(peer.request("relay.hold", { name: "nobody", held: true })).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
});

test("[relay.hold] is kept over a killed sidecar", async () => {
  const runtime = new ScriptedRuntime();
  await using lives = await Lives.start({ runtimes: [runtime] });
  const client = await lives.connect();
  const { lease } = await client.create({ vmId: "vm-a", leaseId: "l1" });
  const before = new RelayClient(client, lease);
  await before.spawn("Ann");
  await client.peer.request("relay.hold", { name: "Ann", held: true });
  const { messageId } = await before.send("Ann", "waits");
  await lives.next();
  await using next = await lives.connect();
  const relay = new RelayClient(next, lease);
  await next.peer.request("lease.resume", lease);
  await expect(relay.agents()).resolves.toMatchObject([{ held: true, pending: 1 }]);
  await next.peer.request("relay.hold", { name: "Ann", held: false });
  await relay.until(messageId, "answered");
  expect(runtime.prompts.map(({ content }) => bodyOf(content))).toEqual(["waits"]);
  await client[Symbol.asyncDispose]();
});
