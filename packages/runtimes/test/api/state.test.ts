import {
  afterTools,
  all,
  atTurnStart,
  FakeModelServer,
  lastUserText,
  otherwise,
  script,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";
import { describe, expect, test } from "vitest";

import { TestHost } from "../test-host.ts";
import { ANTHROPIC, PROVIDERS, TestAgent } from "./api-fixture.ts";

const counting = script([
  otherwise().reply(({ messages }) =>
    text(`${messages.filter(({ role }) => role === "user").length} prompts`),
  ),
]);

describe.for(PROVIDERS)("the state of $name", (provider) => {
  test("a conversation goes on in another process, from what is durable", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(all(lastUserText(/first/), atTurnStart())).reply([
          text("Looking."),
          toolCall("look", { at: "it" }),
        ]),
        when(all(lastUserText(/first/), afterTools("look"))).reply(text("Seen.")),
        otherwise().reply(({ messages }) => text(JSON.stringify(messages))),
      ]),
    });
    const first = await TestHost.start({ tools: { look: () => "a red door" } });
    await using before = await TestAgent.open({ url: server.url, host: first, provider });
    await before.prompt("The first one.");
    const agentSessionId = first.sessionIds[0];
    expect(agentSessionId).toMatch(/^api-/);
    // Another life has no more than the JSON that was written.
    const kept = JSON.parse(JSON.stringify(first.entries));
    const second = await TestHost.start({ tools: { look: () => "" }, state: kept });
    await using after = await TestAgent.open({
      url: server.url,
      host: second,
      provider,
      agentSessionId,
    });
    const { text: seen } = await after.prompt("The second one.");
    for (const part of ["The first one.", "Looking.", "a red door", "Seen.", "The second one."]) {
      expect(seen).toContain(part);
    }
  });

  test("[api.case-65] an id is recorded at the first prompt, before the model is asked", async () => {
    await using server = await FakeModelServer.start({ script: counting });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    expect(host.sessionIds).toEqual([]);
    const running = agent.prompt("Hi.");
    await server.journal.next();
    expect(host.sessionIds).toHaveLength(1);
    expect(host.entries).toMatchObject([
      { version: 1, agentSessionId: host.sessionIds[0] },
      { role: "user", content: [{ text: "Hi." }] },
    ]);
    await running;
  });
});

describe("the state", () => {
  test("another agent's id, or none of its state, is RESUME_LOST", async () => {
    await using server = await FakeModelServer.start({ script: counting });
    const host = await TestHost.start();
    const lost = { code: "RESUME_LOST", details: { sessionId: "session-1" } };
    const open = (agentSessionId: string, on = host): Promise<TestAgent> =>
      TestAgent.open({ url: server.url, host: on, agentSessionId });
    await expect(open("api-unknown")).rejects.toMatchObject(lost);
    await using agent = await TestAgent.open({ url: server.url, host });
    await agent.prompt("Hi.");
    await expect(open("api-unknown")).rejects.toMatchObject(lost);
    const [known = ""] = host.sessionIds;
    const broken = await TestHost.start({ state: [...host.entries, { role: "martian" }] });
    await expect(open(known, broken)).rejects.toMatchObject(lost);
    await using again = await open(known);
    await expect(again.prompt("Hi.")).resolves.toMatchObject({ text: "2 prompts" });
  });

  test("a call that a killed sidecar left open is answered before the next prompt", async () => {
    await using server = await FakeModelServer.start({
      script: script([otherwise().reply(({ messages }) => text(JSON.stringify(messages)))]),
    });
    const agentSessionId = "api-1";
    const host = await TestHost.start({
      state: [
        { version: 1, agentSessionId },
        { role: "user", turnId: "t", from: "user", content: [{ type: "text", text: "Run it." }] },
        {
          role: "assistant",
          parts: [{ type: "tool_call", callId: "c-1", name: "run", input: {} }],
          contextTokens: null,
        },
      ],
    });
    await using agent = await TestAgent.open({ url: server.url, host, agentSessionId });
    const { text: seen } = await agent.prompt("What came of it?");
    expect(seen).toContain("what came of it is not known");
  });

  test("a conversation without an id is begun anew", async () => {
    await using server = await FakeModelServer.start({ script: counting });
    const host = await TestHost.start();
    await using first = await TestAgent.open({ url: server.url, host });
    await first.prompt("Hi.");
    await using second = await TestAgent.open({ url: server.url, host });
    await expect(second.prompt("Hi.")).resolves.toMatchObject({ text: "1 prompts" });
    expect(host.sessionIds).toHaveLength(2);
  });

  test("an earlier exchange is there from the beginning", async () => {
    await using server = await FakeModelServer.start({
      script: script([otherwise().reply(({ messages }) => text(JSON.stringify(messages)))]),
    });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({
      url: server.url,
      host,
      spec: {
        initialHistory: [
          { role: "user", content: "My name is Ada." },
          { role: "assistant", content: [{ type: "text", text: "Hello Ada." }] },
        ],
      },
    });
    const { text: seen } = await agent.prompt("Who am I?");
    expect(seen).toMatch(/My name is Ada.*Hello Ada.*Who am I/s);
  });

  test("a budget that is used up ends the turn with a valid conversation", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(({ turn }) => turn === 0).reply(toolCall("look", {})),
        otherwise().reply(text("Fine.")),
      ]),
    });
    const host = await TestHost.start({ tools: { look: () => "seen" }, maxCalls: 2 });
    await using agent = await TestAgent.open({ url: server.url, host, provider: ANTHROPIC });
    await expect(agent.prompt("Look.")).rejects.toMatchObject({ code: "BUDGET_EXHAUSTED" });
    // The second call's tool was not run.
    expect(host.calls).toHaveLength(1);
    await expect(agent.prompt("Next.")).resolves.toMatchObject({ text: "Fine." });
  });
});
