import { type CallbackParams, HOOK_POINTS } from "@agentos/protocol";
import { Gate } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

const hooks = HOOK_POINTS.map((point) => ({ point, callback: "hook" }));
const callbacks = ["hook"];

describe("hook points", () => {
  test("[session.case-91] every one has a caller", async () => {
    await using at = await SessionWorld.start(
      async ({ host, call, prompt, signal }) => {
        await call("view_file", { path: "/workspace/none" });
        await host.ask([{ question: "which?", options: [], multiSelect: false }], signal);
        host.emit({ type: "compaction", summary: "shorter" });
        return prompt;
      },
      { spec: { hooks } },
    );
    const told = new Set<string>();
    at.client.onCallback = async ({ ask }: CallbackParams) => {
      if (ask.kind === "hook") told.add(ask.point);
      return { kind: "hook" };
    };
    await at.client.peer.request("session.handle", { ...at.session.ref, callbacks });
    await expect(at.session.prompt("go")).resolves.toMatchObject({ text: "go" });
    await at.client.peer.request("session.close", at.session.ref);
    expect([...told].toSorted()).toEqual([...HOOK_POINTS].toSorted());
  });

  test("[session.case-45] each turn's hooks are told their own turn", async () => {
    await using at = await SessionWorld.start(undefined, {
      spec: { hooks: hooks.filter(({ point }) => point.endsWith("_turn")) },
    });
    const told: unknown[] = [];
    at.client.onCallback = async ({ sessionId, turnId, ask }: CallbackParams) => {
      if (ask.kind === "hook") told.push([sessionId, turnId, ask.point]);
      return { kind: "hook" };
    };
    await at.client.peer.request("session.handle", { ...at.session.ref, callbacks });
    const { sessionId } = at.session;
    const { turnId: first } = await at.session.prompt("one");
    const { turnId: second } = await at.session.prompt("two");
    await at.client.peer.request("session.close", at.session.ref);
    expect(told).toEqual(
      [first, second].flatMap((turnId) => [
        [sessionId, turnId, "pre_turn"],
        [sessionId, turnId, "post_turn"],
      ]),
    );
  });

  test("[session.case-90] one that does not answer holds nothing but its own turn", async () => {
    await using at = await SessionWorld.start(undefined, {
      spec: { hooks: hooks.filter(({ point }) => point === "pre_turn") },
    });
    const asked = new Gate();
    const late = new Gate();
    at.client.onCallback = async () => {
      asked.open();
      await late.opened;
      return { kind: "hook" };
    };
    await at.client.peer.request("session.handle", { ...at.session.ref, callbacks });
    const { turnId } = await at.session.send("stay");
    await asked.opened;
    await expect(at.session.info()).resolves.toMatchObject({ state: "running", turnId });
    const peer = await SessionClient.create(at.client);
    await expect(peer.prompt("hi")).resolves.toMatchObject({ text: "hi" });
    await expect(at.client.peer.request("session.cancel", at.session.ref)).resolves.toMatchObject({
      turnId,
    });
    late.open();
    await expect(at.session.result(turnId)).resolves.toMatchObject({ stopReason: "cancelled" });
    expect(at.runtime.prompts.map(({ content }) => content)).toEqual(["hi"]);
  });
});
