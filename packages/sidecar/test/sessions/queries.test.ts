import { describe, expect, test } from "vitest";

import { SessionWorld } from "./session-world.ts";

describe("queries", () => {
  test("[session.case-39] [session.row-queries] before the first turn everything is empty, nothing an error", async () => {
    await using at = await SessionWorld.start();
    await expect(at.session.info()).resolves.toMatchObject({
      state: "idle",
      agentSessionId: null,
      turnId: null,
      queued: 0,
      turns: 0,
      compactions: [],
      lastResponse: null,
      pending: [],
      usage: { turn: null, total: { totalTokens: null, costUsd: null }, byAgent: {}, byModel: {} },
    });
    const { sessionId } = at.session;
    await expect(at.client.peer.request("session.history", { sessionId })).resolves.toEqual({
      steps: [],
    });
    await expect(at.client.peer.request("session.waitForIdle", { sessionId })).resolves.toEqual({
      idle: true,
    });
  });

  test("[session.case-36] [session.sem-11] [session.row-clear-history] clearing resets history, turns, compactions and last response, not what the agent knows", async () => {
    await using at = await SessionWorld.start(async ({ prompt, host }) => {
      host.state.append([prompt]);
      host.emit({ type: "compaction", summary: "shorter" });
      return JSON.stringify(host.state.load());
    });
    await at.session.prompt("one");
    await at.session.prompt("two");
    const before = await at.session.info();
    expect(before).toMatchObject({ turns: 2, lastResponse: '["one","two"]' });
    expect(before.compactions).toHaveLength(2);
    await at.client.peer.request("session.clearHistory", at.session.ref);
    await expect(at.session.info()).resolves.toMatchObject({
      turns: 0,
      compactions: [],
      lastResponse: null,
      lastSeq: before.lastSeq,
    });
    const { sessionId } = at.session;
    const cleared = await at.client.peer.request("session.history", { sessionId });
    expect(cleared.steps).toEqual([]);
    await expect(at.session.prompt("three")).resolves.toMatchObject({
      text: '["one","two","three"]',
    });
    const { steps } = await at.client.peer.request("session.history", { sessionId });
    expect(steps[0]?.index).toBeGreaterThan(before.compactions[1] ?? 0);
  });

  test("[session.case-37] the history is read from an index on; a compaction's index is that of its step", async () => {
    await using at = await SessionWorld.start(async ({ host, prompt }) => {
      host.emit({ type: "compaction", summary: "shorter" });
      return prompt;
    });
    await at.session.prompt("one");
    await at.session.prompt("two");
    const { sessionId } = at.session;
    const read = (params: object) =>
      at.client.peer.request("session.history", { sessionId, ...params });
    const { steps } = await read({});
    expect(steps.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    const { compactions } = await at.session.info();
    expect(compactions.map((index) => steps[index]?.kind)).toEqual(["compaction", "compaction"]);
    await expect(read({ after: 1, limit: 1 })).resolves.toEqual({ steps: [steps[2]] });
    await expect(read({ after: 3 })).resolves.toEqual({ steps: [] });
  });

  test("[session.case-38] the turn's usage is its own, the total the sum, what nobody tells stays unknown", async () => {
    await using at = await SessionWorld.start(async ({ used, prompt }) => {
      used(10);
      used(5, prompt === "priced" ? { costUsd: 0.25 } : {});
      return prompt;
    });
    await expect(at.session.prompt("one")).resolves.toMatchObject({
      usage: { totalTokens: 15, costUsd: null, inputTokens: null },
    });
    await expect(at.session.prompt("priced")).resolves.toMatchObject({
      usage: { totalTokens: 15, costUsd: 0.25 },
    });
    await expect(at.session.info()).resolves.toMatchObject({
      costUsd: 0.25,
      usage: {
        turn: { totalTokens: 15 },
        total: { totalTokens: 30, costUsd: 0.25, inputTokens: null },
        byAgent: { main: { totalTokens: 30 } },
      },
    });
  });

  test("[session.case-40] [session.case-86] [session.sem-3] [session.row-wait-for-wakeup] [session.row-signal-idle] a wake-up is kept until it is asked for, once; a time-out is false", async () => {
    await using at = await SessionWorld.start();
    const { sessionId } = at.session;
    const wait = (timeoutMs: number) =>
      at.client.peer.request(
        "session.waitForWakeup",
        { sessionId, timeoutMs },
        { deadlineMs: null },
      );
    await expect(wait(0)).resolves.toEqual({ woken: false });
    await at.session.prompt("one");
    await expect(wait(1_000)).resolves.toEqual({ woken: true });
    const later = wait(600_000);
    await at.client.peer.request("ping", {});
    at.world.clock.advance(600_000);
    await expect(later).resolves.toEqual({ woken: false });
    const woken = wait(600_000);
    await at.client.peer.request("ping", {});
    await at.session.send("two", { source: "send" });
    await expect(woken).resolves.toEqual({ woken: true });
    await at.session.prompt("three");
    await at.client.peer.request("session.signalIdle", at.session.ref);
    const forgotten = wait(1_000);
    await at.client.peer.request("ping", {});
    at.world.clock.advance(1_000);
    await expect(forgotten).resolves.toEqual({ woken: false });
    const closed = wait(600_000);
    await at.client.peer.request("ping", {});
    await at.client.peer.request("session.close", at.session.ref);
    await expect(closed).rejects.toMatchObject({ code: "SESSION_CLOSED" });
  });

  test("[session.row-wait-for-idle] waiting for idle ends with the last turn, or at its own time", async () => {
    await using at = await SessionWorld.start(async ({ prompt, forever }) =>
      prompt === "stay" ? await forever() : prompt,
    );
    const { sessionId } = at.session;
    const wait = (timeoutMs?: number) =>
      at.client.peer.request(
        "session.waitForIdle",
        { sessionId, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
        { deadlineMs: null },
      );
    await at.session.send("stay");
    await at.session.send("two");
    const early = wait(600_000);
    const whole = wait();
    await at.client.peer.request("ping", {});
    at.world.clock.advance(100_000);
    await at.client.peer.request("ping", {});
    at.world.clock.advance(0);
    await at.client.peer.request("session.cancel", at.session.ref);
    await expect(whole).resolves.toEqual({ idle: true });
    await expect(early).resolves.toEqual({ idle: true });
    await at.session.send("stay");
    const late = wait(1_000);
    await at.client.peer.request("ping", {});
    at.world.clock.advance(1_000);
    await expect(late).resolves.toEqual({ idle: false });
  });
});
