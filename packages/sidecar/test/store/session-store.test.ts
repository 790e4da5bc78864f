import { randomBytes } from "node:crypto";

import type { SessionStore, StoredSession } from "@agentos/core";
import type { SessionEvent, Step } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { Store } from "../../src/store/store.ts";

const NONE = {
  inputTokens: null,
  outputTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  thinkingTokens: null,
  totalTokens: null,
  costUsd: null,
};

const SESSION: StoredSession = {
  user: "owner",
  vmId: "vm",
  spec: { sessionId: "s", runtime: "scripted" },
  parent: undefined,
  isSubagent: false,
  createdAt: "2026-01-01T00:00:00.000Z",
  state: "idle",
  agentSessionId: null,
  agentTrace: null,
  turns: 0,
  usage: { turn: null, total: NONE, byAgent: {} },
  spent: { modelCalls: 0, toolTurns: 0, wallMs: 0 },
  compactions: [],
  lastResponse: null,
  lastSeq: 0,
  nextStep: 0,
  woken: false,
};

function sessions(): SessionStore {
  const store = new Store({ key: randomBytes(32) });
  store.sessions.add("owner/s", SESSION);
  return store.sessions;
}

function textEvent(seq: number, delta = "x"): SessionEvent {
  return { seq, turnId: "t", at: 0, type: "text", delta };
}

function textStep(index: number): Step {
  return { index, turnId: null, kind: "text", role: "agent", text: `${index}`, at: 0 };
}

const ALL = { after: 0, limit: 1_000, maxBytes: 1_000_000 };

describe("sessions in the state file", () => {
  test("a batch ends at its count and at its bytes, but has one where there is one", () => {
    const store = sessions();
    const events = [1, 2, 3, 4].map((seq) => textEvent(seq, "y".repeat(1_000)));
    store.write("owner/s", { events });
    const seqs = (batch: object) =>
      store.events("owner/s", { ...ALL, ...batch }).map(({ seq }) => seq);
    expect(seqs({})).toEqual([1, 2, 3, 4]);
    expect(seqs({ after: 2 })).toEqual([3, 4]);
    expect(seqs({ limit: 2 })).toEqual([1, 2]);
    expect(seqs({ maxBytes: 2_500 })).toEqual([1, 2]);
    expect(seqs({ maxBytes: 10 })).toEqual([1]);
    expect(store.find("owner/s")?.lastSeq).toBe(4);
  });

  test("a write that can't be whole writes nothing", () => {
    const store = sessions();
    store.write("owner/s", { events: [textEvent(1)] });
    expect(() =>
      store.write("owner/s", {
        events: [textEvent(2), textEvent(1)],
        steps: [textStep(0)],
        change: { turns: 5 },
      }),
    ).toThrow(expect.objectContaining({ code: "INTERNAL" }));
    expect(store.events("owner/s", ALL)).toHaveLength(1);
    expect(store.steps("owner/s", { ...ALL, after: -1 })).toEqual([]);
    expect(store.find("owner/s")?.turns).toBe(0);
  });

  test("the oldest steps go, and indices stay", () => {
    const store = sessions();
    store.write("owner/s", { steps: [0, 1, 2, 3].map(textStep), dropStepsBefore: 2 });
    expect(store.steps("owner/s", { ...ALL, after: -1 }).map(({ index }) => index)).toEqual([2, 3]);
  });

  test("a turn is known after its end, an open request until it is settled, its outcome after", () => {
    const store = sessions();
    const turn = {
      turnId: "t",
      content: "hi",
      source: "prompt",
      resumeOnRateLimit: false,
      fence: 1,
      seq: 7,
      state: "queued",
    } as const;
    store.write("owner/s", { addTurn: turn });
    expect(store.turns("owner/s")).toEqual([turn]);
    store.write("owner/s", { runTurn: "t" });
    expect(store.turns("owner/s")).toEqual([{ ...turn, state: "running" }]);
    const questions = [{ question: "?", options: [], multiSelect: false }];
    const about = { requestId: "r", turnId: "t", askedAt: 1 };
    const openRequest = { kind: "question", ...about, questions, digest: "d" } as const;
    store.write("owner/s", { openRequest });
    expect(store.requests("owner/s")).toEqual([openRequest]);
    expect(store.outcome("owner/s", "r")).toBeUndefined();
    const settleRequest = { requestId: "r", outcome: "answered" } as const;
    store.write("owner/s", { endTurn: "t", settleRequest });
    expect(store.turns("owner/s")).toEqual([]);
    expect(store.turnSeq("owner/s", "t")).toBe(7);
    expect(store.turnSeq("owner/s", "u")).toBeUndefined();
    expect(store.requests("owner/s")).toEqual([]);
    expect(store.outcome("owner/s", "r")).toBe("answered");
  });

  test("a kept answer is there with its request until it is dropped", () => {
    const store = sessions();
    const about = { requestId: "r", turnId: "t", askedAt: 1, digest: "d" };
    const questions = [{ question: "?", options: [], multiSelect: false }];
    const openRequest = { kind: "question", ...about, questions } as const;
    const answer = { kind: "question", responses: [{ freeform: "x" }] } as const;
    const kept = { ...answer, responses: [...answer.responses] };
    store.write("owner/s", { openRequest });
    const settleRequest = { requestId: "r", outcome: "answered", answer: kept } as const;
    store.write("owner/s", { settleRequest });
    expect(store.requests("owner/s")).toEqual([]);
    expect(store.keptAnswers("owner/s")).toEqual([{ request: openRequest, answer }]);
    store.write("owner/s", { dropAnswer: "r" });
    expect(store.keptAnswers("owner/s")).toEqual([]);
    expect(store.outcome("owner/s", "r")).toBe("answered");
  });

  test("a copy has everything but what was under way; a removed one leaves nothing to its successor", () => {
    const store = sessions();
    store.appendRuntimeState("owner/s", [{ a: 1 }, "two"]);
    store.appendRuntimeState("owner/s", [3]);
    store.write("owner/s", { events: [textEvent(1)], steps: [textStep(0)] });
    const copy = { ...SESSION, lastSeq: 1, spec: { ...SESSION.spec, sessionId: "c" } };
    store.copy("owner/s", "owner/c", copy);
    store.replaceRuntimeState("owner/s", ["new"]);
    expect(store.runtimeState("owner/c")).toEqual([{ a: 1 }, "two", 3]);
    expect(store.runtimeState("owner/s")).toEqual(["new"]);
    store.remove("owner/s");
    expect(store.find("owner/s")).toBeUndefined();
    expect(store.events("owner/c", ALL)).toEqual([textEvent(1)]);
    store.add("owner/s", SESSION);
    expect(store.events("owner/s", ALL)).toEqual([]);
    expect(store.runtimeState("owner/s")).toEqual([]);
    expect(store.list("owner").map(({ key }) => key)).toEqual(["owner/c", "owner/s"]);
  });

  test("only open sessions are found by the next life, each user's by that user", () => {
    const store = sessions();
    store.add("eve/s", { ...SESSION, user: "eve", state: "running" });
    store.add("eve/over", { ...SESSION, user: "eve", state: "closed" });
    expect(store.open().map(({ key }) => key)).toEqual(["owner/s", "eve/s"]);
    expect(store.list("eve").map(({ key }) => key)).toEqual(["eve/s", "eve/over"]);
  });
});
