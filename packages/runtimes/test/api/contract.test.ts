import {
  FakeModelServer,
  otherwise,
  overloaded,
  rateLimit,
  script,
  text,
  thinking,
  toolCall,
  when,
} from "@agentos/fake-model";
import { expect, test } from "vitest";

import { TestHost } from "../test-host.ts";
import { TestAgent } from "./api-fixture.ts";

test("[session.case-78] all that a turn tells is told when it ends: nothing is buffered beside it", async () => {
  await using server = await FakeModelServer.start({
    script: script([otherwise().reply([thinking("Hm."), text(["a", "b"])])]),
  });
  const host = await TestHost.start();
  await using agent = await TestAgent.open({ url: server.url, host, spec: { thinking: "low" } });
  await agent.prompt("Hi.");
  const count = host.events.length;
  await server.journal.next(({ outcome }) => outcome === "finished");
  await agent[Symbol.asyncDispose]();
  expect(host.events).toHaveLength(count);
});

test("[session.case-79] an agent that was never prompted records nothing", async () => {
  await using server = await FakeModelServer.start({
    script: script([otherwise().reply(text("Hi."))]),
  });
  const host = await TestHost.start();
  await using agent = await TestAgent.open({ url: server.url, host });
  await agent[Symbol.asyncDispose]();
  expect([host.sessionIds, host.entries, host.events]).toEqual([[], [], []]);
});

test("[session.case-81] a failing API is no agent that died: nothing is aborted, and its session stays", async () => {
  await using server = await FakeModelServer.start({
    script: script([
      when(() => true)
        .times(1)
        .fail(overloaded()),
      otherwise().reply(text("Hi.")),
    ]),
  });
  const host = await TestHost.start();
  await using agent = await TestAgent.open({ url: server.url, host });
  const failed = await agent.prompt("Hi.");
  expect(failed.error).toMatchObject({ code: "PROVIDER_FAILED" });
  expect(failed.aborted ?? false).toBe(false);
  await expect(agent.prompt("Hi.", { attempt: 1 })).resolves.toMatchObject({ text: "Hi." });
  expect(host.sessionIds).toHaveLength(1);
});

test("[session.case-82] a rate limit is not counted as an answer of no use", async () => {
  const retryAfter = rateLimit({ retryAfterSeconds: 0, resetAt: new Date() });
  await using server = await FakeModelServer.start({
    script: script([
      when(() => true)
        .times(4)
        .fail(retryAfter),
      otherwise().times(1).reply(thinking("Hm.")),
      otherwise().reply(text("Hi.")),
    ]),
  });
  const host = await TestHost.start();
  await using agent = await TestAgent.open({
    url: server.url,
    host,
    runtime: { badSteps: 2, emptySteps: 2 },
    spec: { retries: 5 },
  });
  await expect(agent.prompt("Hi.")).resolves.toEqual({ stopReason: "end_turn", text: "Hi." });
  expect(host.of("rate_limit")).toHaveLength(4);
});

test("[session.case-25] what the user and the tools say is no text of the agent's", async () => {
  await using server = await FakeModelServer.start({
    script: script([
      when(({ step }) => step === 0).reply(toolCall("look", {})),
      otherwise().reply(text("Done.")),
    ]),
  });
  const host = await TestHost.start({ tools: { look: () => "a red door" } });
  await using agent = await TestAgent.open({ url: server.url, host });
  await agent.prompt("Open the door.");
  expect(host.events.filter(({ type }) => type === "text" || type === "thought")).toEqual([
    { type: "text", delta: "Done." },
  ]);
});
