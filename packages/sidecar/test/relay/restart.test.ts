import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { ScriptedRuntime, type ScriptedTurn } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { Lives } from "../adoption/lives.ts";
import { bodyOf, RelayClient } from "./relay-world.ts";

async function start(script?: (turn: ScriptedTurn) => Promise<string>) {
  const runtime = new ScriptedRuntime(script === undefined ? {} : { script });
  const lives = await Lives.start({ runtimes: [runtime] });
  const client = await lives.connect();
  const { lease } = await client.create({ vmId: "vm-a", leaseId: "l1" });
  return { runtime, lives, client, lease, relay: new RelayClient(client, lease) };
}

/** The pool's, not that of its epochs. */
function stateFileIn(directory: string): string {
  const [name = ""] = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter(
    (each) => each.endsWith(".sqlite") && !each.endsWith("epochs.sqlite"),
  );
  return join(directory, name);
}

const heard = (runtime: ScriptedRuntime): string[] =>
  runtime.prompts.map(({ content }) => bodyOf(content));

describe("a relay after its sidecar was killed", () => {
  test("[relay.case-45] what waited is delivered once, what ran is told as interrupted, and nothing comes twice", async () => {
    const at = await start(async ({ content, forever }) =>
      JSON.stringify(content).includes("stay") ? await forever() : "ok",
    );
    await using lives = at.lives;
    await at.relay.spawn("Alice", { channels: ["c"] });
    const done = await at.relay.send("Alice", "done");
    await at.relay.until(done.messageId, "answered");
    const running = await at.relay.send("Alice", "stay");
    await at.relay.until(running.messageId, "consumed");
    const waiting = await at.relay.send("#c", "waits");
    await lives.next();
    // Nobody has come back for the VM: agents go on by themselves.
    await using client = await lives.connect();
    const relay = new RelayClient(client, at.lease);
    await expect(relay.agents()).resolves.toMatchObject([{ name: "Alice", channels: ["c"] }]);
    await relay.until(waiting.messageId, "answered");
    await expect.poll(() => heard(at.runtime)).toEqual(["done", "stay", "waits"]);
    await expect(relay.deliveries(running.messageId)).resolves.toMatchObject([
      { state: "failed", reason: "interrupted", attempts: 1 },
    ]);
    const again = { messageId: waiting.messageId, to: "#c", text: "waits" };
    await client.peer.request("relay.send", again);
    await client.peer.request("lease.resume", at.lease);
    await expect(relay.spawn("alice")).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(heard(at.runtime)).toHaveLength(3);
    await at.client[Symbol.asyncDispose]();
  });

  test("[relay.restart-lost] an agent whose VM is gone is told as dead, its mail as dead letters, and their sender hears of it", async () => {
    const at = await start(async ({ forever }) => await forever());
    await using lives = at.lives;
    await at.relay.spawn("Alice");
    const first = await at.relay.send("Alice", "running");
    await at.relay.until(first.messageId, "consumed");
    const { messageId } = await at.relay.send("Alice", "waits", { from: "human:kim" });
    lives.machine.vm("vm-a").end({ kind: "died" });
    await lives.next();
    await using client = await lives.connect();
    const relay = new RelayClient(client, at.lease);
    await relay.find(({ type }) => type === "agent_exited");
    await expect(relay.deliveries(messageId)).resolves.toMatchObject([
      { state: "dead_lettered", reason: "vm_ended" },
    ]);
    await expect(relay.inbox({ of: "human:kim" })).resolves.toMatchObject([
      { message: { kind: "notice", replyTo: messageId } },
    ]);
    await at.client[Symbol.asyncDispose]();
  });

  test("[relay.orphans] mail of an agent whose end was written, and its mail's was not, is told by the next life", async () => {
    const at = await start(async ({ forever }) => await forever());
    await using lives = at.lives;
    await at.relay.spawn("Alice");
    const running = await at.relay.send("Alice", "running", { from: "human:kim" });
    await at.relay.until(running.messageId, "consumed");
    const waiting = await at.relay.send("Alice", "waits", { from: "human:kim" });
    await lives.next(0, (stateDirectory) => {
      using database = new DatabaseSync(stateFileIn(stateDirectory));
      database.exec("UPDATE relay_agents SET state = 'released'");
    });
    await using client = await lives.connect();
    const relay = new RelayClient(client, at.lease);
    await expect(relay.deliveries(waiting.messageId)).resolves.toMatchObject([
      { state: "dead_lettered", reason: "released" },
    ]);
    await expect(relay.deliveries(running.messageId)).resolves.toMatchObject([{ state: "failed" }]);
    await expect(relay.inbox({ of: "human:kim" })).resolves.toMatchObject([
      { message: { kind: "notice", replyTo: waiting.messageId } },
    ]);
    await at.client[Symbol.asyncDispose]();
  });

  test("[relay.restart-log] its log goes on without a gap, and keys in specifications are sealed", async () => {
    const at = await start();
    await using lives = at.lives;
    const provider = { name: "anthropic", apiKey: "canary-secret-canary" };
    await at.relay.spawn("Alice", { session: { provider } });
    const before = await at.relay.events();
    expect(lives.now.filesText()).not.toContain("canary");
    await lives.next();
    await using client = await lives.connect();
    const relay = new RelayClient(client, at.lease);
    await client.peer.request("lease.resume", at.lease);
    const { messageId } = await relay.send("Alice", "x");
    await relay.until(messageId, "answered");
    const events = await relay.events();
    expect(events.slice(0, before.length)).toEqual(before);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    await at.client[Symbol.asyncDispose]();
  });
});
