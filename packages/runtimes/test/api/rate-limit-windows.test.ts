import { FakeModelServer, otherwise, script, text } from "@agentos/fake-model";
import { expect, test } from "vitest";

import { rateLimitWindows } from "../../src/api/rate-limit-windows.ts";
import { TestHost } from "../test-host.ts";
import { TestAgent } from "./api-fixture.ts";

const RESET = new Date(Date.now() + 3_600_000).toISOString();
const ANTHROPIC = {
  "anthropic-ratelimit-requests-limit": "50",
  "anthropic-ratelimit-requests-remaining": "49",
  "anthropic-ratelimit-requests-reset": RESET,
};
const WINDOW = { name: "requests", limit: 50, remaining: 49, resetAt: RESET };

test("[agent.rate-limits] a provider's limits are read in its own words, and what is no number is unknown", () => {
  expect(rateLimitWindows(ANTHROPIC)).toEqual([WINDOW]);
  const openAi = {
    "x-ratelimit-limit-tokens": "1000",
    "x-ratelimit-remaining-tokens": "many",
    "x-other": "1",
  };
  expect(rateLimitWindows(openAi)).toEqual([
    { name: "tokens", limit: 1000, remaining: null, resetAt: null },
  ]);
  const flood = Array.from({ length: 100 }, (_, index) => [`x-ratelimit-limit-w${index}`, "1"]);
  expect(rateLimitWindows(Object.fromEntries(flood))).toHaveLength(32);
});

test("[agent.rate-limits] an agent of ours tells them with each call", async () => {
  await using server = await FakeModelServer.start({
    script: script([otherwise().reply(text("Hi."), { headers: ANTHROPIC })]),
  });
  const host = await TestHost.start();
  await using agent = await TestAgent.open({ url: server.url, host });
  await agent.prompt("Hi.");
  expect(host.used).toMatchObject([{ rateLimits: [WINDOW] }]);
});
