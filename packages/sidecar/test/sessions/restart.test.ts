import { ScriptedRuntime, type ScriptedTurn } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { Lives } from "../adoption/lives.ts";
import { SessionClient } from "./session-client.ts";

async function script({ prompt, forever, say, host }: ScriptedTurn): Promise<string> {
  host.state.append([prompt]);
  say(`begun ${prompt}`);
  return prompt === "stay" ? await forever() : JSON.stringify(host.state.load());
}

async function start() {
  const runtime = new ScriptedRuntime({ script });
  const lives = await Lives.start({ runtimes: [runtime] });
  const client = await lives.connect();
  const { lease } = await client.create({ vmId: "vm-a", leaseId: "l1" });
  const session = await SessionClient.createIn(client, lease, { sessionId: "s" });
  return { runtime, lives, client, lease, session };
}

describe("a session after its sidecar was killed", () => {
  test("[session.restart] [agent.interrupted] its running turn is interrupted, what was queued goes on once its holder is back, its state is there", async () => {
    const at = await start();
    await using lives = at.lives;
    await at.session.prompt("first");
    const running = await at.session.send("stay");
    const queued = await at.session.send("queued");
    await at.session.find((event) => event.type === "text" && event.turnId === running.turnId);
    const before = await at.session.events();
    await lives.next();
    await using client = await lives.connect();
    const session = new SessionClient(client, at.lease, "s");
    await expect(session.result(running.turnId)).resolves.toMatchObject({
      stopReason: "interrupted",
    });
    const { events } = await session.events();
    expect(events.slice(0, before.events.length)).toEqual(before.events);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    await expect(session.info()).resolves.toMatchObject({ state: "idle", queued: 1, turnId: null });
    await client.peer.request("lease.resume", at.lease);
    await expect(session.result(queued.turnId)).resolves.toMatchObject({
      text: '["first","stay","queued"]',
    });
    await expect(session.send("again", { turnId: running.turnId })).resolves.toEqual(running);
    await expect(session.prompt("next", { turnId: "next" })).resolves.toMatchObject({
      text: '["first","stay","queued","next"]',
    });
    await at.client[Symbol.asyncDispose]();
  });

  test("a VM that could not be taken over closes its sessions, which can be read and resumed elsewhere", async () => {
    const at = await start();
    await using lives = at.lives;
    await at.session.prompt("first");
    lives.machine.vm("vm-a").end({ kind: "died" });
    await lives.next();
    await using client = await lives.connect();
    const session = new SessionClient(client, at.lease, "s");
    await expect.poll(async () => (await session.info()).state).toBe("closed");
    const { lease } = await client.create({ vmId: "vm-b" });
    const resumed = await SessionClient.createIn(client, lease, {
      sessionId: "s",
      resume: { mode: "resume" },
    });
    await expect(resumed.prompt("next", { turnId: "next" })).resolves.toMatchObject({
      text: '["first","next"]',
    });
    await at.client[Symbol.asyncDispose]();
  });

  test("a subagent's session is there as well, still below its parent; one that a tool had started is closed", async () => {
    const at = await start();
    await using lives = at.lives;
    const agent = { description: "helps" };
    await at.client.peer.request("session.spawn", { ...at.session.ref, childId: "child", agent });
    const child = new SessionClient(at.client, at.lease, "child");
    await child.send("stay", { turnId: "stay" });
    await lives.next();
    await using client = await lives.connect();
    await client.peer.request("lease.resume", at.lease);
    const again = new SessionClient(client, at.lease, "child");
    await expect(again.result("stay")).resolves.toMatchObject({ stopReason: "interrupted" });
    await expect(again.prompt("hi", { turnId: "hi" })).resolves.toMatchObject({
      text: '["stay","hi"]',
    });
    await client.peer.request("session.close", at.session.ref);
    await expect(again.info()).resolves.toMatchObject({ state: "closed", parent: "s" });
    await at.client[Symbol.asyncDispose]();
  });

  test("a key given in the specification is sealed in the file, and told to nobody", async () => {
    const at = await start();
    await using lives = at.lives;
    const provider = { name: "anthropic", apiKey: "canary-secret-canary" };
    await SessionClient.createIn(at.client, at.lease, { sessionId: "keyed", provider });
    const told = JSON.stringify([
      await at.client.peer.request("session.info", { sessionId: "keyed" }),
      await at.client.peer.request("session.list", {}),
      await at.client.peer.request("session.events", { sessionId: "keyed", after: 0 }),
    ]);
    expect(told).not.toContain("canary");
    expect(lives.now.filesText()).not.toContain("canary");
    expect(at.runtime.opened.at(-1)?.spec.provider).toEqual(provider);
    await lives.next();
    await using client = await lives.connect();
    await client.peer.request("lease.resume", at.lease);
    await new SessionClient(client, at.lease, "keyed").prompt("hi", { turnId: "hi" });
    expect(at.runtime.opened.at(-1)?.spec.provider).toEqual(provider);
    await at.client[Symbol.asyncDispose]();
  });
});
