import { AgentOsError } from "@agentos/protocol";
import { Gate } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { SessionWorld } from "./session-world.ts";

/** What an agent's last turn has left to end by itself. */
const LAST_WORDS_MS = 2_000;

async function goneFor({ client, world }: SessionWorld, ms: number): Promise<void> {
  await client.peer.request("ping", {});
  world.clock.advance(ms);
}

describe("an agent's end", () => {
  test("[session.case-66] [session.sem-10] before it has a session uses up no try, and the next turn has a new agent with all of them", async () => {
    await using at = await SessionWorld.start(undefined, {
      spec: { retries: 1, timeouts: { stepIdleMs: 0, inactivityMs: 0 } },
    });
    at.runtime.script = async ({ forever }) => {
      at.runtime.agent.exit(3);
      return await forever();
    };
    const one = await at.session.send("one");
    await expect.poll(() => at.runtime.prompts.length).toBe(1);
    await goneFor(at, LAST_WORDS_MS);
    await expect(at.session.result(one.turnId)).resolves.toMatchObject({
      stopReason: "error",
      error: { code: "AGENT_EXITED", details: { exitCode: 3 } },
    });
    expect(at.runtime.prompts).toHaveLength(1);
    at.runtime.script = async ({ attempt }) => {
      if (attempt > 0) return "answered";
      const details = { provider: "p", reason: "broke" };
      return {
        stopReason: "error",
        text: "",
        error: new AgentOsError("PROVIDER_FAILED", "the stream broke", details),
      };
    };
    const { turnId } = await at.session.send("two");
    await at.session.find((event) => event.type === "notice" && event.turnId === turnId);
    at.world.clock.advance(60_000);
    await expect(at.session.result(turnId)).resolves.toMatchObject({ text: "answered" });
    expect(at.runtime.opened).toHaveLength(2);
    expect((await at.session.info()).agentSessionId).toBeNull();
  });

  test("[session.case-71] in the middle of a turn ends it, and whoever waits goes on", async () => {
    await using at = await SessionWorld.start(async ({ say, forever }) => {
      say("working");
      return await forever();
    });
    const { turnId } = await at.session.send("go");
    await at.session.find(({ type }) => type === "text");
    const { sessionId } = at.session;
    const idle = at.client.peer.request("session.waitForIdle", { sessionId });
    await expect(at.session.info()).resolves.toMatchObject({ state: "running", turnId });
    at.runtime.agent.exit();
    await goneFor(at, LAST_WORDS_MS);
    await expect(idle).resolves.toMatchObject({ idle: true });
    await expect(at.session.result(turnId)).resolves.toMatchObject({
      error: { code: "AGENT_EXITED" },
    });
    await expect(at.session.info()).resolves.toMatchObject({ state: "idle", turnId: null });
  });

  test("[session.case-31] what is told up to a turn's end is delivered before it, what comes later is not", async () => {
    const later = new Gate();
    await using at = await SessionWorld.start(async ({ say, host, prompt }) => {
      say(`${prompt} in time`);
      if (prompt === "one")
        void later.opened.then(() => host.emit({ type: "notice", message: "too late" }));
      return prompt;
    });
    await at.session.prompt("one");
    later.open();
    await at.session.prompt("two");
    const { events } = await at.session.events();
    const told = events.flatMap((event) => {
      if (event.type === "text") return [event.delta];
      return event.type === "turn_end" || event.type === "notice" ? [event.type] : [];
    });
    expect(told).toEqual(["one in time", "turn_end", "two in time", "turn_end"]);
  });

  test("[session.sem-9] a turn may be cancelled before its prompt was answered", async () => {
    await using at = await SessionWorld.start(async ({ forever }) => await forever());
    const turnId = "mine";
    const sent = at.session.send("go", { turnId });
    const cancelled = at.client.peer.request("session.cancel", { ...at.session.ref, turnId });
    await expect(cancelled).resolves.toMatchObject({ turnId });
    await expect(sent).resolves.toMatchObject({ turnId });
    await expect(at.session.result(turnId)).resolves.toMatchObject({ stopReason: "cancelled" });
  });
});
