import {
  FakeModelServer,
  lastUserText,
  otherwise,
  overloaded,
  script,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";
import { describe, expect, test } from "vitest";

import { TestHost } from "../test-host.ts";
import { PROVIDERS, TestAgent } from "./api-fixture.ts";

const spec = { compaction: { tokenThreshold: 1_000 } };
const large = { usage: { inputTokens: 2_000, outputTokens: 10 } };
const small = { usage: { inputTokens: 100, outputTokens: 10 } };
const asked = lastUserText(/^Summarise this conversation/);

describe.for(PROVIDERS)("a long conversation with $name", (provider) => {
  test("[api.compaction] goes on from a summary, in the middle of a turn and in the next process too", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(asked).reply(text("The door is red."), small),
        when(({ step, turn }) => step === 0 && turn === 0)
          .times(1)
          .reply([text("A long look."), toolCall("look", {})], large),
        otherwise().reply(({ messages }) => text(JSON.stringify(messages)), small),
      ]),
    });
    const host = await TestHost.start({ tools: { look: () => "a red door" } });
    await using agent = await TestAgent.open({ url: server.url, host, provider, spec });
    const { text: seen, stopReason } = await agent.prompt("Which colour?");
    expect(stopReason).toBe("end_turn");
    expect(seen).toMatch(/The door is red\..*Which colour\?/s);
    expect(seen).not.toContain("A long look.");
    expect(host.of("compaction")).toEqual([{ type: "compaction", summary: "The door is red." }]);
    // The summary itself is nobody's reply.
    expect(host.told("text")).toMatch(/^A long look\.\[/);
    expect(host.used).toHaveLength(3);
    const again = await TestHost.start({ state: host.entries });
    const [agentSessionId] = host.sessionIds;
    await using other = await TestAgent.open({
      url: server.url,
      host: again,
      provider,
      spec,
      agentSessionId,
    });
    await expect(other.prompt("And now?")).resolves.toMatchObject({
      text: expect.stringMatching(/The door is red\..*And now\?/s),
    });
  });

  test("keeps the next prompt word for word", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(asked).reply(text("A greeting."), small),
        when(lastUserText("Hello.")).reply(text("A long answer."), large),
        otherwise().reply(({ messages }) => text(JSON.stringify(messages)), small),
      ]),
    });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, provider, spec });
    await agent.prompt("Hello.");
    const { text: seen } = await agent.prompt("Which colour?");
    expect(seen).toMatch(/A greeting\..*Which colour\?/s);
    expect(seen).not.toContain("A long answer.");
  });
});

test("[api.compaction] a summary that fails leaves the conversation as it was", async () => {
  await using server = await FakeModelServer.start({
    script: script([
      when(asked).times(1).fail(overloaded()),
      when(asked).reply(text(""), small),
      when(lastUserText("Hello.")).reply(text("A long answer."), large),
      otherwise().reply(({ messages }) => text(JSON.stringify(messages)), small),
    ]),
  });
  const host = await TestHost.start();
  await using agent = await TestAgent.open({ url: server.url, host, spec });
  await agent.prompt("Hello.");
  await expect(agent.prompt("Next?")).resolves.toMatchObject({
    error: { code: "PROVIDER_FAILED" },
  });
  // The next try has an empty summary, which is none.
  const { text: seen } = await agent.prompt("Next?", { attempt: 1 });
  expect(seen).toMatch(/A long answer\..*Next\?/s);
  expect(host.of("notice").map(({ message }) => message)).toEqual([
    "the model gave no summary: nothing was compacted",
  ]);
});
