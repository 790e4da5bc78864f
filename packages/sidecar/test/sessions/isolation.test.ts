import { Gate, ScriptedRuntime, type ScriptedTurn } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

/** Prompts that begin with "stay" go on until they are cancelled. */
async function staying({ prompt, forever, say }: ScriptedTurn): Promise<string> {
  if (!prompt.startsWith("stay")) return prompt;
  say("begun");
  return await forever();
}

describe("sessions side by side", () => {
  test("[session.case-12] [session.case-17] a storm of creates, turns and closes all succeed", async () => {
    const runtime = new ScriptedRuntime();
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const { lease } = await client.create();
    const life = async (name: string): Promise<string> => {
      const session = await SessionClient.createIn(client, lease);
      const { text } = await session.prompt(name);
      await client.peer.request("session.close", session.ref);
      return text;
    };
    const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
    await expect(Promise.all(names.map(life))).resolves.toEqual(names);
    expect(runtime.agents.size).toBe(0);
  });

  test("[session.case-13] [session.case-14] [session.case-18] [session.case-85] a turn goes on while others are made, read and closed", async () => {
    await using at = await SessionWorld.start(staying);
    const { turnId } = await at.session.send("stay");
    await at.session.find(({ type }) => type === "text");
    const other = await SessionClient.createIn(at.client, at.session.scope);
    await expect(other.prompt("hi")).resolves.toMatchObject({ text: "hi" });
    await at.client.peer.request("session.close", other.ref);
    await expect(at.session.info()).resolves.toMatchObject({ state: "running", turnId });
    await at.client.peer.request("session.history", { sessionId: at.session.sessionId });
    await expect(at.session.info()).resolves.toMatchObject({ state: "running", turnId });
  });

  test("[session.case-15] two sidecars never see each other's sessions", async () => {
    await using one = await SessionWorld.start(undefined, { spec: { sessionId: "one" } });
    await using two = await SessionWorld.start(undefined, { spec: { sessionId: "two" } });
    for (const [at, own, other] of [
      [one, "one", "two"],
      [two, "two", "one"],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const { sessions } = await at.client.peer.request("session.list", {});
      expect(sessions.map(({ sessionId }) => sessionId)).toEqual([own]);
      for (const method of ["session.info", "session.delete"] as const) {
        // oxlint-disable-next-line no-await-in-loop -- As above.
        await expect(at.client.peer.request(method, { sessionId: other })).rejects.toMatchObject({
          code: "NOT_FOUND",
        });
      }
    }
    const { turnId } = await one.session.send("hi");
    await two.world.sidecar.close("the end");
    await expect(one.session.result(turnId)).resolves.toMatchObject({ text: "hi" });
    await expect(one.session.prompt("again")).resolves.toMatchObject({ text: "again" });
  });

  test("[session.case-16] [session.case-83] an agent that throws fails its own turn only, and the next one runs", async () => {
    await using at = await SessionWorld.start(async ({ prompt }) => {
      if (prompt === "fall") throw new Error("a fault of the runtime");
      return prompt;
    });
    const other = await SessionClient.createIn(at.client, at.session.scope);
    await expect(at.session.prompt("fall")).resolves.toMatchObject({
      stopReason: "error",
      error: { code: "INTERNAL" },
    });
    // What a foreign error says may be anything: the log has it, its readers have not.
    expect(JSON.stringify((await at.session.events()).events)).not.toContain("a fault");
    expect(JSON.stringify(at.world.log.lines)).toContain("a fault of the runtime");
    await expect(other.prompt("hi")).resolves.toMatchObject({ text: "hi" });
    await expect(at.session.prompt("hi")).resolves.toMatchObject({ text: "hi" });
  });

  test("[session.case-19] [session.sem-6] a reader that goes away harms neither the turn nor the next one", async () => {
    const go = new Gate();
    await using at = await SessionWorld.start(async ({ prompt, until }) => {
      await until(go.opened);
      return prompt;
    });
    const { turnId } = await at.session.send("one");
    const controller = new AbortController();
    const { sessionId } = at.session;
    const read = at.client.peer.request(
      "session.events",
      { sessionId, after: 1_000, waitMs: 60_000 },
      { signal: controller.signal },
    );
    controller.abort();
    await expect(read).rejects.toMatchObject({ code: "CANCELLED" });
    go.open();
    await expect(at.session.result(turnId)).resolves.toMatchObject({ text: "one" });
    await expect(at.session.prompt("two")).resolves.toMatchObject({ text: "two" });
  });

  test("[session.case-20] starts of turns are apart, and control never waits for that", async () => {
    await using at = await SessionWorld.start(undefined, { spec: { turnSpacingMs: 5_000 } });
    await at.session.prompt("one");
    const { turnId } = await at.session.send("two");
    const third = await at.session.send("three");
    await expect(at.session.info()).resolves.toMatchObject({ turnId: null, queued: 2 });
    const cancel = { ...at.session.ref, turnId: third.turnId };
    await expect(at.client.peer.request("session.cancel", cancel)).resolves.toEqual({
      turnId: third.turnId,
    });
    at.world.clock.advance(5_000);
    await expect(at.session.result(turnId)).resolves.toMatchObject({ text: "two" });
    expect(at.runtime.prompts).toHaveLength(2);
  });

  test("a runtime that never ends its turn, or ends it late, is given up; what it says then has no effect", async () => {
    const late = new Gate();
    const begun = new Gate();
    await using at = await SessionWorld.start(async ({ prompt, say, host }) => {
      if (prompt !== "deaf") return prompt;
      begun.open();
      await late.opened;
      say("too late");
      host.recordSession("too late");
      return "too late";
    });
    const { turnId } = await at.session.send("deaf");
    await begun.opened;
    const cancelled = at.client.peer.request("session.cancel", at.session.ref);
    await at.client.peer.request("ping", {});
    at.world.clock.advance(2_000);
    await expect(cancelled).resolves.toEqual({ turnId });
    await expect(at.session.prompt("next")).resolves.toMatchObject({ text: "next" });
    late.open();
    await expect(at.session.prompt("last")).resolves.toMatchObject({ text: "last" });
    const { events } = await at.session.events();
    expect(JSON.stringify(events)).not.toContain("too late");
    await expect(at.session.info()).resolves.toMatchObject({ agentSessionId: null });
    expect(at.runtime.opened).toHaveLength(2);
  });

  test("[session.fifty] fifty sessions at once: none waits for a slow one, and a cancel is answered", async () => {
    const slow = new Gate();
    const runtime = new ScriptedRuntime({
      script: async ({ prompt, say, call, until, forever }) => {
        for (let count = 0; count < 5; count += 1) {
          say(`${prompt} ${count} `);
          // oxlint-disable-next-line no-await-in-loop -- One call after the other.
          await call("list_directory", { path: "/workspace" });
        }
        if (prompt.startsWith("slow")) await until(slow.opened);
        if (prompt.startsWith("stay")) return await forever();
        return prompt;
      },
    });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const { lease } = await client.create();
    const kinds = Array.from(
      { length: 50 },
      (_, at) => `${["slow", "stay", "quick"][at % 3]}-${at}`,
    );
    const open = async (prompt: string) => {
      const session = await SessionClient.createIn(client, lease);
      return { prompt, session, ...(await session.send(prompt)) };
    };
    const all = await Promise.all(kinds.map(open));
    const of = (kind: string) => all.filter(({ prompt }) => prompt.startsWith(kind));
    const quick = of("quick").map(({ session, turnId }) => session.result(turnId));
    expect((await Promise.all(quick)).map(({ text }) => text)).toEqual(
      of("quick").map(({ prompt }) => prompt),
    );
    await Promise.all(
      of("stay").map(async ({ session, turnId }) => {
        const answer = await client.peer.request("session.cancel", session.ref);
        expect(answer).toEqual({ turnId });
      }),
    );
    slow.open();
    const ends = await Promise.all(of("slow").map(({ session, turnId }) => session.result(turnId)));
    expect(ends.every(({ stopReason }) => stopReason === "end_turn")).toBe(true);
    const calls = await Promise.all(
      all.map(async ({ session }) => (await session.events()).events),
    );
    for (const events of calls)
      expect(events.filter(({ type }) => type === "tool_result")).toHaveLength(5);
  });
});
