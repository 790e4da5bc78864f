import { Gate } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

const UNICODE = "naïve 👩‍👩‍👧 𝔘 日本 ";

describe("turns", () => {
  test("[session.case-21] text arrives in order and adds up, character by character and long", async () => {
    const long = UNICODE.repeat(9_000);
    await using at = await SessionWorld.start(async ({ say }) => {
      for (const piece of UNICODE) say(piece);
      await new Promise(setImmediate);
      say(long);
      return "done";
    });
    await at.session.prompt("go");
    let text = "";
    let after = 0;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- The next batch follows the one before.
      const { events } = await at.session.events(after);
      if (events.length === 0) break;
      after = events.at(-1)?.seq ?? after;
      text += events.map((event) => (event.type === "text" ? event.delta : "")).join("");
    }
    expect(text).toBe(UNICODE + long);
    let written = "";
    for (let index = 0; ;) {
      // oxlint-disable-next-line no-await-in-loop -- The next batch follows the one before.
      const { steps } = await at.client.peer.request("session.history", {
        sessionId: at.session.sessionId,
        after: index,
      });
      if (steps.length === 0) break;
      expect(steps.every(({ kind, role }) => kind === "text" && role === "agent")).toBe(true);
      index = steps.at(-1)?.index ?? index;
      written += steps.map((step) => step.text).join("");
    }
    expect(written).toBe(UNICODE + long);
  });

  test("text of one tick is one event", async () => {
    await using at = await SessionWorld.start(async ({ say }) => {
      for (let count = 0; count < 100; count += 1) say("x");
      return "";
    });
    await at.session.prompt("go");
    const { events } = await at.session.events();
    expect(events.filter(({ type }) => type === "text")).toMatchObject([
      { delta: "x".repeat(100) },
    ]);
  });

  test("[session.case-26] [session.case-27] thoughts and text are both told; only a finished reply is the last response", async () => {
    await using at = await SessionWorld.start(async ({ prompt, host, say, forever }) => {
      host.emit({ type: "thought", delta: "hm" });
      if (prompt === "think") return "";
      say("partial");
      if (prompt === "fail") throw new Error("no");
      if (prompt === "refuse") return { text: "no", stopReason: "refusal" };
      if (prompt === "stay") return await forever();
      return "reply";
    });
    const last = async () => (await at.session.info()).lastResponse;
    for (const prompt of ["think", "fail", "refuse"]) {
      // oxlint-disable-next-line no-await-in-loop -- One turn after the other.
      await at.session.prompt(prompt);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      expect(await last()).toBeNull();
    }
    const { turnId } = await at.session.send("stay");
    await at.session.find((event) => event.type === "thought" && event.turnId === turnId);
    await at.client.peer.request("session.cancel", at.session.ref);
    expect(await last()).toBeNull();
    await at.session.prompt("say");
    expect(await last()).toBe("reply");
    const { sessionId } = at.session;
    const { steps } = await at.client.peer.request("session.history", { sessionId });
    expect(steps.slice(-3).map(({ kind, role, text }) => [kind, role, text])).toEqual([
      ["text", "user", "say"],
      ["thinking", "agent", "hm"],
      ["text", "agent", "partial"],
    ]);
  });

  test("[session.case-28] what fails in the middle and goes on is a success; what fails at the end is one", async () => {
    await using at = await SessionWorld.start(async ({ prompt, host, say }) => {
      host.emit({ type: "notice", message: "a stream broke" });
      if (prompt === "on") say("on");
      else throw new Error("over");
      return "on";
    });
    await expect(at.session.prompt("on")).resolves.toMatchObject({ stopReason: "end_turn" });
    const failed = await at.session.prompt("end");
    expect(failed).toMatchObject({ stopReason: "error", error: { code: "INTERNAL" }, text: "" });
  });

  test("[session.case-30] an empty prompt is refused, and nothing of it is left", async () => {
    await using at = await SessionWorld.start();
    const { turns, lastSeq } = await at.session.info();
    const parts = [{ type: "text" as const, text: " \n" }];
    for (const content of ["", " \n\t", parts]) {
      const params = { ...at.session.ref, turnId: "t", content, source: "prompt" as const };
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(at.client.peer.request("session.prompt", params)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { argument: "content" },
      });
    }
    await expect(at.session.info()).resolves.toMatchObject({ turns, lastSeq });
  });

  test("[session.case-32] [session.sem-1] [session.row-send] what is sent meanwhile waits for its turn; where that is not wanted it is refused", async () => {
    const go = new Gate();
    await using at = await SessionWorld.start(async ({ prompt, until, say }) => {
      say(prompt);
      await until(go.opened);
      return prompt;
    });
    const first = await at.session.send("one");
    const second = await at.session.send("two", { source: "send" });
    await expect(at.session.send("three", { whenBusy: "reject" })).rejects.toMatchObject({
      code: "SESSION_BUSY",
      details: { turnId: first.turnId },
    });
    go.open();
    await at.session.result(second.turnId);
    const { events } = await at.session.events();
    const turns = events.flatMap(({ turnId }) => (turnId === null ? [] : [turnId]));
    const boundary = turns.lastIndexOf(first.turnId);
    expect(turns.slice(boundary + 1).every((turnId) => turnId === second.turnId)).toBe(true);
    expect(turns.indexOf(second.turnId)).toBe(boundary + 1);
  });

  test("the same turn again is the same turn, running and ended", async () => {
    await using at = await SessionWorld.start();
    const first = await at.session.send("one", { turnId: "t" });
    await at.session.result("t");
    await expect(at.session.send("one", { turnId: "t" })).resolves.toEqual(first);
    expect(at.runtime.prompts).toHaveLength(1);
  });

  test("one turn more than may wait is refused", async () => {
    await using at = await SessionWorld.start(async ({ forever }) => await forever());
    await at.session.send("running");
    await Promise.all(Array.from({ length: 256 }, () => at.session.send("waiting")));
    await expect(at.session.send("too many")).rejects.toMatchObject({
      code: "POOL_EXHAUSTED",
      details: { limit: "queuedTurns", capacity: 256 },
    });
    const { turnId } = await at.client.peer.request("session.cancel", at.session.ref);
    expect(turnId).not.toBeNull();
    await at.client.peer.request("session.close", at.session.ref);
    const { events } = await at.session.events(0);
    expect(events.length).toBeGreaterThan(0);
  });

  test("[session.case-34] [session.row-cancel] a cancel hits the turn that runs, never a later one; idle it hits none", async () => {
    await using at = await SessionWorld.start(async ({ prompt, forever, say }) => {
      say("begun");
      return prompt === "stay" ? await forever() : prompt;
    });
    const cancel = (turnId?: string) =>
      at.client.peer.request("session.cancel", {
        ...at.session.ref,
        ...(turnId === undefined ? {} : { turnId }),
      });
    await expect(cancel()).resolves.toEqual({ turnId: null });
    const first = await at.session.send("stay");
    const second = await at.session.send("two");
    await at.session.find((event) => event.type === "text" && event.turnId === first.turnId);
    const answers = await Promise.all([cancel(), cancel(), cancel(first.turnId)]);
    expect(answers).toEqual(Array.from({ length: 3 }, () => ({ turnId: first.turnId })));
    await expect(at.session.result(first.turnId)).resolves.toMatchObject({
      stopReason: "cancelled",
      text: "",
    });
    await expect(at.session.result(second.turnId)).resolves.toMatchObject({ text: "two" });
    await expect(cancel(first.turnId)).resolves.toEqual({ turnId: null });
    await expect(cancel("unknown")).resolves.toEqual({ turnId: null });
  });

  test("[session.case-35] an agent that is gone in the middle ends the turn with its last words, and the next turn has another", async () => {
    await using at = await SessionWorld.start(async ({ prompt, until }) => {
      if (prompt !== "die") return prompt;
      at.runtime.agent.exit(139);
      return await until(new Promise<string>(() => undefined));
    });
    const { turnId } = await at.session.send("die");
    await expect.poll(() => at.runtime.prompts.length).toBe(1);
    await at.client.peer.request("ping", {});
    at.world.clock.advance(2_000);
    await expect(at.session.result(turnId)).resolves.toMatchObject({
      stopReason: "error",
      error: { code: "AGENT_EXITED", details: { exitCode: 139, stderr: ["the last line"] } },
    });
    await expect(at.session.prompt("next")).resolves.toMatchObject({ text: "next" });
    expect(at.runtime.opened).toHaveLength(2);
  });

  test("a state file that is full fails the turn, not the session: with room again it goes on", async () => {
    await using at = await SessionWorld.start(
      async ({ prompt, host }) => {
        if (prompt === "flood") {
          const value = "x".repeat(100_000);
          for (;;) host.emit({ type: "raw", source: "test", value });
        }
        return prompt;
      },
      { sidecar: { storeBytes: 1_024 * 1_024 } },
    );
    const other = await SessionClient.createIn(at.client, at.session.scope);
    await other.send("flood");
    await expect.poll(async () => (await other.info()).state).toBe("idle");
    await expect(at.session.send("y".repeat(100_000))).rejects.toMatchObject({ code: "INTERNAL" });
    await at.client.peer.request("session.delete", { sessionId: other.sessionId });
    await expect(at.session.prompt("hi")).resolves.toMatchObject({ text: "hi" });
  });

  test("a tool's endless output is told up to a bound, and a turn that tells too much ends", async () => {
    await using at = await SessionWorld.start(async ({ host, prompt, signal }) => {
      const delta = "x".repeat(100_000);
      if (prompt === "output") {
        for (let count = 0; count < 50; count += 1)
          host.emit({ type: "tool_output", callId: "c", delta });
        return "done";
      }
      while (!signal.aborted) host.emit({ type: "text", delta });
      return "never";
    });
    await expect(at.session.prompt("output")).resolves.toMatchObject({ text: "done" });
    const { lastSeq } = await at.session.info();
    let told = "";
    for (let after = 0; after < lastSeq;) {
      // oxlint-disable-next-line no-await-in-loop -- The next batch follows the one before.
      const { events } = await at.session.events(after);
      after = events.at(-1)?.seq ?? lastSeq;
      told += events.map((event) => (event.type === "tool_output" ? event.delta : "")).join("");
    }
    expect(told).toMatch(/^x{262144}\n\(the rest of its output is not shown\)\n$/);
    await at.session.send("flood", { turnId: "flood" });
    const { sessionId } = at.session;
    await expect
      .poll(async () => (await at.session.info()).state, { timeout: 10_000 })
      .toBe("idle");
    const last = await at.session.events((await at.session.info()).lastSeq - 3);
    expect(last.events).toContainEqual(
      expect.objectContaining({
        type: "turn_end",
        result: expect.objectContaining({
          error: expect.objectContaining({
            code: "POOL_EXHAUSTED",
            details: expect.objectContaining({ limit: "turnBytes" }),
          }),
        }),
      }),
    );
    await at.client.peer.request("session.delete", { sessionId });
  });

  test("what is too large for one message is left out, and said so", async () => {
    const large = "x".repeat(700_000);
    await using at = await SessionWorld.start(async ({ host }) => {
      host.emit({ type: "raw", source: "test", value: large });
      return "done";
    });
    await expect(at.session.prompt("go")).resolves.toMatchObject({ text: "done" });
    at.runtime.script = async ({ say }) => {
      say("\u0001".repeat(1_000_000));
      return { text: "\u0001".repeat(1_000_000), output: large };
    };
    const { text } = await at.session.prompt("go");
    expect(text).toMatch(/cut here: all 1000000 characters/);
    const { lastSeq } = await at.session.info();
    const { events } = await at.session.events(lastSeq - 2);
    expect(events[0]).toMatchObject({ type: "turn_end", result: { text } });
    const notice = await at.session.find(({ type }) => type === "notice");
    expect(notice).toMatchObject({ message: expect.stringMatching(/raw event of 7\d+ bytes/) });
    await expect(at.session.send(large + large.slice(0, 100_000))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});
