import { FakeModelServer, otherwise, script, text, toolCall, when } from "@agentos/fake-model";
import type { Json } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { TestHost } from "../test-host.ts";
import { PROVIDERS, TestAgent } from "./api-fixture.ts";

const outputSchema = {
  type: "object",
  properties: { sum: { type: "number" } },
  required: ["sum"],
};

/** The desk's tool: it takes what fits the schema. */
const finish = (input: Json): string => {
  if (typeof input === "object" && input !== null && "sum" in input) return "finished";
  throw new Error("sum: expected a number");
};

describe.for(PROVIDERS)("structured output of $name", (provider) => {
  test("[session.case-60] [api.case-60] is the last input of the tool finish that was taken", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(({ step }) => step === 0).reply(toolCall("finish", { total: 3 })),
        otherwise().reply([text("Three."), toolCall("finish", { sum: 3 })]),
      ]),
    });
    const host = await TestHost.start({ tools: { finish } });
    const spec = { outputSchema };
    await using agent = await TestAgent.open({ url: server.url, host, provider, spec });
    await expect(agent.prompt("1 + 2?")).resolves.toMatchObject({
      stopReason: "end_turn",
      output: { sum: 3 },
    });
    expect(server.journal.entries[0]?.request?.system).toContain("finish");
    // The next turn goes on from a valid conversation.
    await expect(agent.prompt("Again?")).resolves.toMatchObject({ output: { sum: 3 } });
  });
});

test("[session.case-60] an answer in words has no output", async () => {
  await using server = await FakeModelServer.start({
    script: script([otherwise().reply(text('{"sum": 3}'))]),
  });
  const host = await TestHost.start({ tools: { finish } });
  await using agent = await TestAgent.open({ url: server.url, host, spec: { outputSchema } });
  const result = await agent.prompt("1 + 2?");
  expect(result).toEqual({ stopReason: "end_turn", text: '{"sum": 3}' });
});
