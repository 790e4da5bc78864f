import { describe, expect, test } from "vitest";

import { RelayWorld } from "./relay-world.ts";

interface Line {
  readonly tool: string;
  readonly input?: object;
}

/** Agents that call the tools which a message asks for, and say what each gave. */
async function start(world?: Parameters<typeof RelayWorld.start>[1]) {
  return await RelayWorld.start(async ({ content, call }) => {
    const asked = Array.isArray(content) ? content[1] : { type: "text", text: content };
    const said = typeof asked === "object" && "text" in asked ? asked.text : "";
    if (!said.startsWith("{")) return "ok";
    const { tool, input = {} }: Line = JSON.parse(said);
    const { outcome, content: output } = await call(tool, JSON.parse(JSON.stringify(input)));
    const [first] = output;
    return `${outcome} ${first?.type === "text" ? first.text : ""}`;
  }, world);
}

async function tell(world: RelayWorld, to: string, line: Line): Promise<string> {
  const { relay } = world;
  const { sessionId } = await relay.client.peer.request("relay.agent", { name: to });
  const { messageId } = await relay.send(to, JSON.stringify(line));
  await relay.until(messageId, "answered");
  const { lastResponse } = await relay.client.peer.request("session.info", { sessionId });
  return lastResponse ?? "";
}

describe("an agent", () => {
  test("[relay.case-13] sends as itself, whatever it says", async () => {
    await using world = await start();
    const { relay } = world;
    await relay.spawn("Alice");
    const bob = await relay.spawn("Bob");
    const input = { to: "Bob", text: "hello", from: "human:boss", data: { a: 1 } };
    await expect(tell(world, "Alice", { tool: "relay_send", input })).resolves.toMatch(/^ok /);
    await expect.poll(() => world.heard(bob.agentId)).toEqual(["hello"]);
    const { messages } = await relay.client.peer.request("relay.history", { agent: "Bob" });
    expect(messages[0]).toMatchObject({ from: "Alice", text: "hello", data: { a: 1 } });
  });

  test("[relay.reply] answers in the thread, which proves that the message was read", async () => {
    await using world = await start();
    const { relay } = world;
    await relay.spawn("Alice");
    const { messageId } = await relay.send("Alice", "question", { from: "human:kim" });
    await relay.until(messageId, "answered");
    const input = { message: messageId, text: "answer" };
    await expect(tell(world, "Alice", { tool: "relay_reply", input })).resolves.toMatch(/^ok /);
    await expect(relay.inbox({ of: "human:kim" })).resolves.toMatchObject([
      { message: { from: "Alice", text: "answer", replyTo: messageId, threadId: messageId } },
    ]);
    const foreign = { message: "unknown", text: "x" };
    await expect(tell(world, "Alice", { tool: "relay_reply", input: foreign })).resolves.toMatch(
      /^failed NOT_FOUND/,
    );
  });

  test("[relay.tools] looks at its inbox, agents and channels, and joins one", async () => {
    await using world = await start();
    const { relay } = world;
    await relay.spawn("Alice", { channels: ["general"] });
    await relay.spawn("Bob", { channels: ["general"] });
    await expect(tell(world, "Alice", { tool: "relay_inbox" })).resolves.toContain(
      "human:orchestrator",
    );
    await expect(tell(world, "Alice", { tool: "relay_agents" })).resolves.toContain('"name":"Bob"');
    const join = { tool: "relay_channels", input: { join: "#work" } };
    await expect(tell(world, "Alice", join)).resolves.toContain(
      '{"name":"#work","members":["Alice"]}',
    );
  });

  test("[relay.acl] writes to nobody beyond its reach, and ends only who is below it", async () => {
    await using world = await start();
    const { relay, sidecar } = world;
    await relay.spawn("Alice", { channels: ["a"] });
    await relay.spawn("near");
    await using client = await sidecar.connect();
    const { lease } = await client.create({ vmId: "elsewhere", leaseId: "l-2" });
    const spawn = async (name: string, more: object = {}) => {
      const agent = { name, session: { runtime: "scripted" }, ...more };
      const { vmId, fence } = lease;
      await client.peer.request("relay.spawn", { vmId, fence, agentId: name, agent });
    };
    await spawn("far");
    await spawn("joined", { channels: ["a"] });
    const send = async (to: string) =>
      (await tell(world, "Alice", { tool: "relay_send", input: { to, text: "x" } })).split(":")[0];
    await expect(send("near")).resolves.toMatch(/^ok/);
    await expect(send("joined")).resolves.toMatch(/^ok/);
    await expect(send("far")).resolves.toBe("failed ACL_DENIED");
    await expect(send("#b")).resolves.toBe("failed ACL_DENIED");
    await expect(
      tell(world, "Alice", { tool: "relay_release", input: { name: "near" } }),
    ).resolves.toMatch(/^failed ACL_DENIED/);
    const denied = await relay.events({ types: ["acl_denied"] });
    expect(denied).toMatchObject([{ agent: "far" }, { agent: "#b" }, { agent: "near" }]);
    await client.peer.request("lease.release", { leaseId: "l-2", vmId: "elsewhere" });
  });

  test("[relay.send-to] with a list of addresses writes to those alone", async () => {
    await using world = await start();
    const { relay } = world;
    await relay.spawn("hub");
    await relay.spawn("other");
    await relay.spawn("spoke", { sendTo: ["hub"] });
    const send = async (to: string) =>
      (await tell(world, "spoke", { tool: "relay_send", input: { to, text: "x" } })).split(":")[0];
    await expect(send("hub")).resolves.toMatch(/^ok/);
    await expect(send("other")).resolves.toBe("failed ACL_DENIED");
  });

  test("[relay.family] starts one below it where its policy allows, and ends it", async () => {
    await using world = await start();
    const { relay } = world;
    const rules = [{ tool: "*", decision: "allow" as const }];
    await relay.spawn("Alice", { session: { policy: { rules, otherwise: "deny" } } });
    await relay.spawn("Eve");
    const input = { name: "child", task: "begin" };
    await expect(tell(world, "Alice", { tool: "relay_spawn", input })).resolves.toMatch(/^ok /);
    await expect(
      relay.client.peer.request("relay.agent", { name: "child" }),
    ).resolves.toMatchObject({
      parent: "Alice",
      state: "ready",
    });
    // It costs what no budget of its parent's bounds: the default policy asks, and nobody is there.
    const more = { name: "another", task: "begin" };
    await expect(tell(world, "Eve", { tool: "relay_spawn", input: more })).resolves.toMatch(
      /^denied/,
    );
    const release = { tool: "relay_release", input: { name: "child", reason: "done" } };
    await expect(tell(world, "Alice", release)).resolves.toMatch(/^ok /);
    await expect(
      relay.client.peer.request("relay.agent", { name: "child" }),
    ).resolves.toMatchObject({
      state: "released",
    });
  });
});
