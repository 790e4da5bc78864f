import { Gate, ScriptedRuntime } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";

describe("a session over the wire", () => {
  test("a prompt is taken, its turn is told event by event, and its result is the last", async () => {
    const runtime = new ScriptedRuntime({
      script: async ({ say, call, used }) => {
        say("Hel");
        say("lo ");
        const { content } = await call("look");
        used(12, { costUsd: 0.5 });
        say("there");
        return `there ${JSON.stringify(content)}`;
      },
    });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const session = await SessionClient.create(client);
    const result = await session.prompt("hi");
    expect(result).toMatchObject({ stopReason: "end_turn", usage: { totalTokens: 12 } });
    const { events } = await session.events();
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.map(({ type }) => type)).toEqual([
      "state",
      "turn_start",
      "step",
      "state",
      "text",
      "step",
      "tool_call",
      "step",
      "tool_result",
      "step",
      "usage",
      "text",
      "step",
      "turn_end",
      "state",
    ]);
    await expect(session.info()).resolves.toMatchObject({
      state: "idle",
      turns: 1,
      costUsd: 0.5,
      lastResponse: result.text,
      lastSeq: events.length,
    });
  });

  test("a running turn is cancelled, and the next one runs", async () => {
    const begun = new Gate();
    const runtime = new ScriptedRuntime({
      script: async ({ prompt, forever }) => {
        if (prompt !== "stay") return prompt;
        begun.open();
        return await forever();
      },
    });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const session = await SessionClient.create(client);
    const { turnId } = await session.send("stay");
    await begun.opened;
    await expect(client.peer.request("session.cancel", session.ref)).resolves.toEqual({ turnId });
    await expect(session.result(turnId)).resolves.toMatchObject({ stopReason: "cancelled" });
    await expect(client.peer.request("session.cancel", session.ref)).resolves.toEqual({
      turnId: null,
    });
    await expect(session.prompt("next")).resolves.toMatchObject({ text: "next" });
  });
});
