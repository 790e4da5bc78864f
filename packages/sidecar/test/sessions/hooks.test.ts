import { type CallbackParams, type HookPoint } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { SessionWorld } from "./session-world.ts";

function hooksAt(...points: HookPoint[]) {
  return points.map((point) => ({ point, callback: `hook:${point}` }));
}

/** A session whose hooks are one function of the client. */
async function hooked(
  points: HookPoint[],
  answer: (point: HookPoint, data: Record<string, unknown>) => object,
  options: Parameters<typeof SessionWorld.start>[1] = {},
) {
  const told: string[] = [];
  const hooks = hooksAt(...points);
  const at = await SessionWorld.start(
    async ({ prompt, host, from }) => {
      host.emit({ type: "compaction", summary: "shorter" });
      told.push(`${from}: ${prompt}`);
      return prompt;
    },
    {
      ...options,
      spec: { hooks },
      runtime: { onDispose: async () => void told.push("disposed") },
    },
  );
  at.client.onCallback = async ({ ask }: CallbackParams) => {
    if (ask.kind !== "hook") throw new Error("not a hook");
    told.push(ask.point);
    return { kind: "hook", ...answer(ask.point, ask.data) };
  };
  const callbacks = hooks.map(({ callback }) => callback);
  await at.client.peer.request("session.handle", { ...at.session.ref, callbacks });
  return { at, told };
}

describe("hooks around turns", () => {
  test("[session.turn-hooks] [session.case-47] the start is told once before the first turn, each turn's end after it, the session's end before its agent's", async () => {
    const points: HookPoint[] = ["session_start", "post_turn", "compaction", "session_end"];
    const { at: world, told } = await hooked(points, () => ({}));
    await using at = world;
    await at.session.prompt("one");
    await at.session.prompt("two");
    await at.client.peer.request("session.close", at.session.ref);
    expect(told).toEqual([
      "session_start",
      "user: one",
      "compaction",
      "post_turn",
      "user: two",
      "compaction",
      "post_turn",
      "session_end",
      "disposed",
    ]);
  });

  test("[session.turn-hooks] a turn that a hook denies asks no model and says why", async () => {
    const { at: world, told } = await hooked(["pre_turn"], (_point, { prompt }) =>
      prompt === "bad" ? { allow: false, message: "not that" } : {},
    );
    await using at = world;
    await expect(at.session.prompt("bad")).resolves.toMatchObject({
      stopReason: "denied",
      text: "not that",
    });
    expect(told).toEqual(["pre_turn"]);
    await expect(at.session.prompt("good")).resolves.toMatchObject({ text: "good" });
    await expect(at.session.info()).resolves.toMatchObject({ lastResponse: "good" });
  });

  test("[session.turn-hooks] a stop hook has the same turn go on, with its reason as the system's word", async () => {
    const { at: world, told } = await hooked(["stop"], (_point, { continuationCount }) =>
      continuationCount === 0 ? { goOn: "and the tests?" } : {},
    );
    await using at = world;
    const { turnId } = await at.session.send("fix it");
    await expect(at.session.result(turnId)).resolves.toMatchObject({ text: "and the tests?" });
    expect(told).toEqual(["user: fix it", "stop", "hook: and the tests?", "stop"]);
    expect(at.runtime.prompts.every((turn) => turn.turnId === turnId)).toBe(true);
  });
});
