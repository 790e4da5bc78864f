import { describe, expect, test } from "vitest";

import { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

const HELPER = { description: "reads" };
const ALLOW = "session.capabilities.subagents.allow";
const TOOLS = "session.agents.tools";

describe("subagents", () => {
  test("[session.spawn] [session.case-61] one has its own id, model, tools, usage and life; its idleness never ends the parent's turn", async () => {
    await using at = await SessionWorld.start(async ({ prompt, forever, used, request }) => {
      used(7);
      return prompt === "stay" ? await forever() : `${request.spec.model ?? "none"} ${prompt}`;
    });
    const { turnId } = await at.session.send("stay");
    const agent = { ...HELPER, model: "small" };
    const spawn = (childId: string) =>
      at.client.peer.request("session.spawn", { ...at.session.ref, childId, agent });
    const info = await spawn("child");
    expect(info).toMatchObject({ parent: at.session.sessionId, model: "small", state: "idle" });
    await expect(spawn("child")).resolves.toMatchObject({ sessionId: "child" });
    const child = new SessionClient(at.client, at.session.scope, "child");
    await expect(child.prompt("hi")).resolves.toMatchObject({ text: "small hi" });
    await expect(at.session.info()).resolves.toMatchObject({
      state: "running",
      turnId,
      usage: { total: { totalTokens: 14 }, byAgent: { child: { totalTokens: 7 } } },
    });
    await expect(
      at.client.peer.request("session.spawn", { ...child.ref, childId: "deeper", agent }),
    ).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await at.client.peer.request("session.close", at.session.ref);
    await expect(child.info()).resolves.toMatchObject({ state: "closed" });
    expect(at.runtime.agents.size).toBe(0);
  });

  test("[session.subagent-tool] one that a tool starts tells its doings in the parent's turn, asks there, and ends with it", async () => {
    const tools = [{ name: "deploy", description: "d", inputSchema: { type: "object" } }];
    await using at = await SessionWorld.start(
      async ({ prompt, call, say, used, request }) => {
        used(5, { hasToolCalls: true });
        if (request.spec.sessionId === at.session.sessionId) {
          const result = await call("start_subagent", { agent: "helper", prompt: "look" });
          return JSON.stringify(result.content);
        }
        say(`seen: ${prompt}`);
        return `child: ${(await call("deploy", {})).outcome}`;
      },
      {
        spec: {
          asks: "wait",
          capabilities: { subagents: true },
          agents: { helper: { ...HELPER, tools } },
        },
      },
    );
    const { turnId } = await at.session.send("go");
    const asked = await at.session.find(({ type }) => type === "request");
    if (asked.type !== "request") throw new Error("not a request");
    const { requestId } = asked.request;
    const answer = { kind: "permission", decision: "deny" } as const;
    await at.client.peer.request("session.respond", { ...at.session.ref, requestId, answer });
    const result = await at.session.result(turnId);
    expect(result.text).toContain("child: denied");
    expect(result.usage).toMatchObject({ totalTokens: 10 });
    const names = at.runtime.opened.at(-1)?.tools.map(({ name }) => name);
    expect(names).toEqual([
      "view_file",
      "list_directory",
      "find_file",
      "search_directory",
      "deploy",
    ]);
    const { events } = await at.session.events();
    const text = events.find((event) => event.type === "text" && event.delta === "seen: look");
    expect(text?.agent).toMatch(/^agent-/);
    expect(at.runtime.agents.size).toBe(1);
    const { sessions } = await at.client.peer.request("session.list", {});
    expect(sessions.find(({ parent }) => parent !== undefined)).toMatchObject({ state: "closed" });
  });

  test("a cancelled parent ends its subagent, and a budget of the parent's stops both", async () => {
    await using at = await SessionWorld.start(
      async ({ call, forever, used, request, prompt }) => {
        if (request.spec.sessionId === at.session.sessionId)
          return (await call("start_subagent", { agent: "helper", prompt })).outcome;
        if (prompt === "stay") return await forever();
        used(100, { hasToolCalls: true });
        return "too late";
      },
      {
        spec: {
          capabilities: { subagents: true },
          agents: { helper: HELPER },
          budget: { tokens: 50 },
        },
      },
    );
    const { turnId } = await at.session.send("stay");
    await expect.poll(() => at.runtime.prompts.length).toBe(2);
    await at.client.peer.request("session.cancel", at.session.ref);
    await expect(at.session.result(turnId)).resolves.toMatchObject({ stopReason: "cancelled" });
    await expect.poll(() => at.runtime.agents.size).toBe(1);
    await expect(at.session.prompt("spend")).resolves.toMatchObject({
      stopReason: "budget",
      budget: "tokens",
    });
    await expect.poll(() => at.runtime.agents.size).toBe(1);
  });

  test("[session.case-55] [session.case-57] those that nobody could start are refused, and different tools of one name", async () => {
    await using at = await SessionWorld.start();
    const open = (spec: object) => SessionClient.createIn(at.client, at.session.scope, spec);
    const tool = { name: "deploy", description: "d", inputSchema: { type: "object" } };
    const helper = { ...HELPER, tools: [tool] };
    const agents = { helper };
    const other = { ...tool, description: "something else" };
    for (const [spec, argument] of [
      [{ agents, capabilities: { subagents: false } }, "session.agents"],
      [{ agents, capabilities: { subagents: { allow: ["helfer"] } } }, ALLOW],
      [{ capabilities: { subagents: { allow: ["helper"] } } }, ALLOW],
      [{ agents, tools: [other] }, TOOLS],
      [{ agents: { helper, second: { ...HELPER, tools: [other] } } }, TOOLS],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(open(spec)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { argument },
      });
    }
    await expect(open({ agents, tools: [tool] })).resolves.toBeDefined();
  });

  test("agents alone are enough for a tool to start them", async () => {
    await using at = await SessionWorld.start(undefined, { spec: { agents: { helper: HELPER } } });
    const names = at.runtime.opened.at(-1)?.tools.map(({ name }) => name);
    expect(names).toContain("start_subagent");
  });
});
