import type { CallbackParams } from "@agentos/protocol";
import { expect, test } from "vitest";

import { type HookAnswer, type HookRunner, openHooks } from "../../src/index.ts";
import { type Answer, callbacksOf } from "../fixture.ts";

const signal = new AbortController().signal;

function hooksOf(
  functions: Readonly<Record<string, Answer>>,
  names: Readonly<Record<string, string>> = {},
): { hooks: HookRunner; notices: string[] } {
  const notices: string[] = [];
  const hooks = openHooks({
    sessionId: "session-1",
    spec: {
      sessionId: "session-1",
      runtime: "scripted",
      hooks: Object.keys(functions).map((callback) => ({
        point: "pre_tool_call",
        callback,
        ...(names[callback] === undefined ? {} : { name: names[callback] }),
      })),
    },
    callbacks: callbacksOf(functions),
    notice: (message) => notices.push(message),
  });
  return { hooks, notices };
}

function noting(called: string[], answer: Omit<HookAnswer, "kind"> = {}): Answer {
  return ({ callback }) => {
    called.push(callback);
    return { kind: "hook", ...answer };
  };
}

test("[session.case-41] hooks of one point run in the order of their registration", async () => {
  const called: string[] = [];
  const { hooks } = hooksOf({ a: noting(called), b: noting(called), c: noting(called) });
  await hooks.observe("pre_tool_call", {}, null);
  await hooks.decide("pre_tool_call", {}, "turn-1", signal);
  await hooks.observe("post_turn", {}, null);
  expect(called).toStrictEqual(["a", "b", "c", "a", "b", "c"]);
});

test("[session.case-41] a hook of the same name takes the earlier one's place", async () => {
  const called: string[] = [];
  const { hooks } = hooksOf({ a: noting(called), b: noting(called) }, { a: "same", b: "same" });
  await hooks.observe("pre_tool_call", {}, null);
  expect(called).toStrictEqual(["b"]);
});

test("[session.case-42] the first that denies is the last that is asked", async () => {
  const called: string[] = [];
  const denying = noting(called, { allow: false, message: "not that" });
  const { hooks } = hooksOf({ a: noting(called), b: denying, c: noting(called) });
  expect(await hooks.decide("pre_tool_call", {}, "turn-1", signal)).toMatchObject({
    allow: false,
    message: "not that",
  });
  expect(called).toStrictEqual(["a", "b"]);
});

test("[session.case-43] a decider that throws denies", async () => {
  const called: string[] = [];
  const { hooks, notices } = hooksOf({
    a: () => {
      throw new Error("broken");
    },
    b: noting(called),
  });
  expect(await hooks.decide("pre_tool_call", {}, "turn-1", signal)).toMatchObject({ allow: false });
  expect(called).toStrictEqual([]);
  expect(notices).toHaveLength(1);
});

test("[session.case-43] an observer that throws is noticed, and the rest run", async () => {
  const called: string[] = [];
  const { hooks, notices } = hooksOf({
    a: () => {
      throw new Error("broken");
    },
    b: noting(called),
  });
  await hooks.observe("pre_tool_call", {}, null);
  expect(called).toStrictEqual(["b"]);
  expect(notices).toStrictEqual(["the hook a at pre_tool_call failed: it threw"]);
});

test("a decider that answers something else than a hook denies", async () => {
  const { hooks } = hooksOf({ a: () => ({ kind: "predicate", matches: true }) });
  expect(await hooks.decide("pre_tool_call", {}, "turn-1", signal)).toMatchObject({ allow: false });
});

test("[session.case-44] what hooks put into the input adds up, and the next one sees it", async () => {
  const seen: unknown[] = [];
  const changing =
    (input: Record<string, number>): Answer =>
    ({ ask }: CallbackParams) => {
      if (ask.kind === "hook") seen.push(ask.data["input"]);
      return { kind: "hook", input };
    };
  const { hooks } = hooksOf({ a: changing({ x: 1, y: 1 }), b: changing({ y: 2 }) });
  const answer = await hooks.decide("pre_tool_call", { input: { x: 0, z: 0 } }, "turn-1", signal);
  expect(answer.input).toStrictEqual({ x: 1, y: 2 });
  expect(seen).toStrictEqual([
    { x: 0, z: 0 },
    { x: 1, y: 1, z: 0 },
  ]);
});

test("[session.case-44] a later denial wins over an earlier change", async () => {
  const { hooks } = hooksOf({
    a: () => ({ kind: "hook", input: { x: 1 } }),
    b: () => ({ kind: "hook", allow: false }),
  });
  expect(await hooks.decide("pre_tool_call", { input: {} }, "turn-1", signal)).toMatchObject({
    allow: false,
  });
});

test("a decider's cancellation is the caller's", async () => {
  const { hooks } = hooksOf({ a: () => ({ kind: "hook" }) });
  const aborted = AbortSignal.abort(new Error("stop"));
  await expect(hooks.decide("pre_tool_call", {}, "turn-1", aborted)).rejects.toThrow("stop");
});
