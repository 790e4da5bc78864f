import {
  afterTools,
  FakeModelServer,
  Gate,
  otherwise,
  pause,
  refusal,
  script,
  text,
  thinking,
  toolCall,
  when,
} from "@agentos/fake-model";
import { describe, expect, test } from "vitest";

import { TestHost } from "../test-host.ts";
import { PROVIDERS, TestAgent } from "./api-fixture.ts";

const USAGE = {
  inputTokens: 100,
  cacheReadTokens: 30,
  cacheWriteTokens: 0,
  outputTokens: 20,
  reasoningTokens: 5,
};
const PIECES = ["Grüße ", "🐚🐚", "\u2028 and ", '"quotes"\n', "end"];

describe.for(PROVIDERS)("a turn of $name", (provider) => {
  test("[api.case-21] text is told in order and adds up to the exact text, with its exact usage", async () => {
    await using server = await FakeModelServer.start({
      script: script([otherwise().reply(text(PIECES), { usage: USAGE, inBytes: 3 })]),
    });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    const result = await agent.prompt("Say hello.");
    expect(result).toEqual({ stopReason: "end_turn", text: PIECES.join("") });
    expect(host.told("text")).toBe(PIECES.join(""));
    expect(host.used).toMatchObject([
      {
        hasToolCalls: false,
        usage: { inputTokens: 100, cacheReadTokens: 30, outputTokens: 20, totalTokens: 150 },
      },
    ]);
    const { request } = await server.journal.next();
    expect(request).toMatchObject({ format: provider.format, stream: true });
    expect(request?.lastUserText).toBe("Say hello.");
  });

  test("[api.case-56] tools run side by side, their results come in call order, and a failing or unknown one leaves the others", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(afterTools("look")).reply(({ newResults }) =>
          text(newResults.map(({ result }) => `${result.text};`)),
        ),
        otherwise().reply([
          text("Let me look."),
          toolCall("look", { at: "slow" }),
          toolCall("look", { at: "bad" }),
          toolCall("nobody_has_it", {}),
          toolCall("look", { at: "quick" }),
        ]),
      ]),
    });
    const quick = Promise.withResolvers<void>();
    const host = await TestHost.start({
      tools: {
        look: async (input) => {
          const at = JSON.stringify(input);
          if (at.includes("bad")) throw new Error("bad place");
          // Could only end where the later call runs beside it.
          if (at.includes("slow")) await quick.promise;
          else quick.resolve();
          return at.includes("slow") ? "saw slow" : "saw quick";
        },
      },
    });
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    const result = await agent.prompt("Look around.");
    expect(result.stopReason).toBe("end_turn");
    expect(result.text).toMatch(
      /^saw slow;.*bad place.*;.*Unknown tool: 'nobody_has_it'.*;saw quick;$/s,
    );
    expect(host.calls.map(({ name }) => name)).toEqual(["look", "look", "nobody_has_it", "look"]);
    expect(new Set(host.calls.map(({ callId }) => callId)).size).toBe(4);
    expect(host.used.map(({ hasToolCalls }) => hasToolCalls)).toEqual([true, false]);
  });

  test("a cancelled turn closes the request, and the next one goes on from what was said", async () => {
    const gate = new Gate();
    await using server = await FakeModelServer.start({
      script: script([
        when(({ turn }) => turn === 0)
          .times(1)
          .reply([text(["One, ", "two, "]), pause(gate), text("three.")]),
        otherwise().reply(({ messages }) => text(JSON.stringify(messages.map(({ role }) => role)))),
      ]),
    });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    const abort = new AbortController();
    const running = agent.prompt("Count.", { signal: abort.signal });
    await gate.reached();
    await expect.poll(() => host.told("text")).toContain("two");
    abort.abort();
    await expect(running).resolves.toEqual({ stopReason: "cancelled", text: "One, two, " });
    const entry = await server.journal.next(({ outcome }) => outcome !== "open");
    expect(entry.outcome).toBe("aborted");
    await expect(agent.prompt("Go on.")).resolves.toMatchObject({
      stopReason: "end_turn",
      text: expect.stringContaining("assistant"),
    });
  });

  test("a call that a cancelled turn left open gets a result, so that the next turn is valid", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(({ turn }) => turn === 0)
          .times(1)
          .reply([toolCall("stay", {}), toolCall("quick", {})]),
        otherwise().reply(({ messages }) => text(JSON.stringify(messages))),
      ]),
    });
    const begun = Promise.withResolvers<void>();
    const host = await TestHost.start({
      tools: {
        stay: async (_input, signal) => {
          begun.resolve();
          await new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => reject(new Error("cut")));
          });
          return "never";
        },
        quick: () => "quick result",
      },
    });
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    const abort = new AbortController();
    const running = agent.prompt("Stay.", { signal: abort.signal });
    await begun.promise;
    abort.abort();
    await expect(running).resolves.toMatchObject({ stopReason: "cancelled" });
    const { text: seen, stopReason } = await agent.prompt("And now?");
    expect(stopReason).toBe("end_turn");
    expect(seen).toMatch(/cancelled.*quick result/s);
  });

  test("a refusal and too long an answer are stop reasons of their own", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(({ lastUserText }) => lastUserText === "Bad.").reply(refusal("I won't."), {
          stop: "refusal",
        }),
        otherwise().reply(text("A long"), { stop: "max_tokens" }),
      ]),
    });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    await expect(agent.prompt("Long.")).resolves.toMatchObject({ stopReason: "max_tokens" });
    const refused = await agent.prompt("Bad.");
    // OpenAI says a refusal as the answer's text.
    const isText = provider.name.startsWith("openai");
    expect(refused.stopReason).toBe(isText ? refused.stopReason : "refusal");
    expect(host.told("text")).toContain("A long");
  });
});

const thinkers = PROVIDERS.filter(({ name }) => name !== "openai-chat");

describe.for(thinkers)("thoughts of $name", (provider) => {
  test("[api.case-26] thoughts and text of one step are told apart, and thoughts alone are no answer", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        otherwise()
          .times(1)
          .reply(thinking(["Hm, ", "well."])),
        otherwise().reply([thinking("Ah."), text("Yes.")]),
      ]),
    });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({
      url: server.url,
      host,
      provider,
      spec: { thinking: "high" },
    });
    await expect(agent.prompt("Really?")).resolves.toEqual({
      stopReason: "end_turn",
      text: "Yes.",
    });
    expect(host.told("text")).toBe("Yes.");
    expect(host.told("thought")).toBe("Hm, well.Ah.");
    expect(host.used).toHaveLength(2);
  });
});
