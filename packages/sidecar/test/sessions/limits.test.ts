import { AgentOsError } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { SessionWorld } from "./session-world.ts";

/** A turn of five model calls, then one of one. */
async function rounds(budget: object, tokens = 10, costUsd?: number) {
  await using at = await SessionWorld.start(
    async ({ used, prompt }) => {
      const calls = Number(prompt);
      for (let left = calls; left > 0; left -= 1) {
        used(tokens, { hasToolCalls: left > 1, ...(costUsd === undefined ? {} : { costUsd }) });
      }
      return "done";
    },
    { spec: { budget } },
  );
  const first = await at.session.prompt("5");
  const second = await at.session.prompt("1");
  return { first, second, calls: (await at.session.info()).usage.total.totalTokens };
}

function failed(): AgentOsError {
  return new AgentOsError("PROVIDER_FAILED", "the stream broke", {
    provider: "p",
    reason: "broke",
  });
}

describe("budgets", () => {
  test("[session.case-69] model calls, tool turns, tokens and money each stop the turn and say so", async () => {
    await expect(rounds({ turns: 3 })).resolves.toMatchObject({
      first: { stopReason: "max_turns", budget: "turns" },
      second: { stopReason: "max_turns", budget: "turns" },
      calls: 30,
    });
    await expect(rounds({ toolTurns: 2 })).resolves.toMatchObject({
      first: { stopReason: "max_tool_turns", budget: "toolTurns" },
      second: { stopReason: "end_turn" },
      calls: 40,
    });
    await expect(rounds({ turns: 5 })).resolves.toMatchObject({
      first: { stopReason: "end_turn" },
      second: { stopReason: "max_turns" },
    });
    await expect(rounds({ tokens: 25 })).resolves.toMatchObject({
      first: { stopReason: "budget", budget: "tokens", error: { code: "BUDGET_EXHAUSTED" } },
    });
    await expect(rounds({ usd: 1 }, 10, 0.6)).resolves.toMatchObject({
      first: { stopReason: "budget", budget: "usd" },
    });
    // A price that nobody knows can't be held against a budget.
    await expect(rounds({ usd: 1 })).resolves.toMatchObject({
      first: { stopReason: "budget", budget: "usd" },
      calls: 10,
    });
  });

  test("a turn's time is counted over turns and stops the one in which it is used up", async () => {
    await using at = await SessionWorld.start(
      async ({ prompt, until }) => {
        at.world.clock.advance(Number(prompt));
        return await until(Promise.resolve("done"));
      },
      { spec: { budget: { wallMs: 1_000 }, timeouts: { stepIdleMs: 0, inactivityMs: 0 } } },
    );
    await expect(at.session.prompt("600")).resolves.toMatchObject({ stopReason: "end_turn" });
    at.world.clock.advance(10_000);
    await expect(at.session.prompt("300")).resolves.toMatchObject({ stopReason: "end_turn" });
    await expect(at.session.prompt("200")).resolves.toMatchObject({
      stopReason: "budget",
      budget: "wallMs",
    });
  });
});

describe("silence", () => {
  test("[session.row-chat] a silent step ends the turn with a deadline; signs of life put it off", async () => {
    await using at = await SessionWorld.start(
      async ({ say, forever, prompt }) => {
        for (let count = 0; count < 5; count += 1) {
          at.world.clock.advance(800);
          say(".");
        }
        return prompt === "stay" ? await forever() : "done";
      },
      { spec: { timeouts: { stepIdleMs: 1_000, inactivityMs: 0 } } },
    );
    await expect(at.session.prompt("go")).resolves.toMatchObject({ text: "done" });
    const { turnId } = await at.session.send("stay");
    await at.session.find((event) => event.type === "text" && event.turnId === turnId);
    at.world.clock.advance(1_000);
    await expect(at.session.result(turnId)).resolves.toMatchObject({
      stopReason: "error",
      error: { code: "DEADLINE_EXCEEDED", details: { deadlineMs: 1_000 } },
    });
  });

  test("[session.case-67] a hard rate limit's reset is waited for beyond the inactivity", async () => {
    await using at = await SessionWorld.start(
      async ({ host, forever, prompt }) => {
        const resetAt = new Date(Date.now() + 3_000_000).toISOString();
        host.emit({ type: "rate_limit", resetAt, attempt: 1, hard: true });
        at.world.clock.advance(2_900_000);
        return prompt === "stay" ? await forever() : "done";
      },
      { spec: { timeouts: { stepIdleMs: 0, inactivityMs: 1_000 } } },
    );
    await expect(at.session.prompt("go")).resolves.toMatchObject({ text: "done" });
    const { turnId } = await at.session.send("stay");
    await at.session.find((event) => event.type === "rate_limit" && event.turnId === turnId);
    at.world.clock.advance(200_000);
    await expect(at.session.result(turnId)).resolves.toMatchObject({
      error: { code: "DEADLINE_EXCEEDED" },
    });
  });
});

describe("tries of ours", () => {
  test("a provider's failure is tried again, as the same turn, as often as the session says", async () => {
    const attempts: number[] = [];
    await using at = await SessionWorld.start(
      async ({ attempt, prompt }) => {
        attempts.push(attempt);
        if (prompt === "never" || attempt < 2) throw failed();
        return "done";
      },
      { spec: { retries: 2 } },
    );
    const settled = async (prompt: string) => {
      const { turnId } = await at.session.send(prompt);
      let over = false;
      const result = at.session.result(turnId).finally(() => (over = true));
      await expect
        .poll(() => {
          at.world.clock.advance(5_000);
          return over;
        })
        .toBe(true);
      return await result;
    };
    await expect(settled("go")).resolves.toMatchObject({ stopReason: "end_turn", text: "done" });
    expect(attempts.splice(0)).toEqual([0, 1, 2]);
    await expect(settled("never")).resolves.toMatchObject({
      stopReason: "error",
      error: { code: "PROVIDER_FAILED" },
    });
    expect(attempts).toEqual([0, 1, 2]);
  });

  test("[session.case-68] [session.sem-4] a rate limit ends the turn, and the next one waits for the reset", async () => {
    await using at = await SessionWorld.start(async ({ prompt }) => {
      if (prompt !== "limited") return prompt;
      const resetAt = new Date(Date.now() + 60_000).toISOString();
      throw new AgentOsError("RATE_LIMITED", "slow down", { provider: "p", resetAt });
    });
    await expect(at.session.prompt("limited")).resolves.toMatchObject({
      stopReason: "rate_limit",
      error: { code: "RATE_LIMITED", details: { resetAt: expect.any(String) } },
    });
    const { turnId } = await at.session.send("next");
    await expect(at.session.info()).resolves.toMatchObject({ turnId: null, queued: 1 });
    at.world.clock.advance(61_000);
    await expect(at.session.result(turnId)).resolves.toMatchObject({ text: "next" });
  });

  test("a turn that may wait for a rate limit's reset goes on after it", async () => {
    await using at = await SessionWorld.start(
      async ({ attempt }) => {
        if (attempt > 0) return "done";
        const resetAt = new Date(Date.now() + 60_000).toISOString();
        throw new AgentOsError("RATE_LIMITED", "slow down", { provider: "p", resetAt });
      },
      { spec: { timeouts: { stepIdleMs: 1_000, inactivityMs: 1_000 } } },
    );
    const { turnId } = await at.session.send("go", { resumeOnRateLimit: true });
    await at.session.find((event) => event.type === "rate_limit" && event.hard);
    await expect(at.session.info()).resolves.toMatchObject({ turnId });
    at.world.clock.advance(61_000);
    await expect(at.session.result(turnId)).resolves.toMatchObject({ text: "done" });
  });
});
