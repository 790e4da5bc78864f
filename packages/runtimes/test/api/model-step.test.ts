import { expect, test } from "vitest";

import { KeyRedactor } from "../../src/api/key-redactor.ts";
import { StepBuilder } from "../../src/api/model-step.ts";
import { uniqueId } from "../../src/api/unique-id.ts";

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
const finishReason = { unified: "tool-calls" as const, raw: undefined };

function stepOf(ids: readonly string[]) {
  const used = new Set<string>();
  const listener = { told: () => undefined, warned: () => undefined };
  const builder = new StepBuilder(listener, new KeyRedactor(undefined), (given) =>
    uniqueId(given, used),
  );
  for (const id of ids) {
    builder.take({ type: "tool-input-start", id, toolName: "look" });
    builder.take({ type: "tool-input-delta", id, delta: '{"at":' });
    builder.take({ type: "tool-input-delta", id, delta: '"it"}' });
    builder.take({ type: "tool-input-end", id });
    builder.take({ type: "tool-call", toolCallId: id, toolName: "look", input: '{"at":"it"}' });
  }
  builder.take({ type: "finish", usage, finishReason });
  return builder.finished();
}

test("[session.case-24] a call that comes in pieces is one call", () => {
  const step = stepOf(["a", "b"]);
  expect(step?.calls.map(({ callId, input }) => [callId, input])).toEqual([
    ["a", { at: "it" }],
    ["b", { at: "it" }],
  ]);
});

test("[session.case-24] calls without an id, or with the same, are each their own", () => {
  const step = stepOf(["", "", "a", "a", "b".repeat(200)]);
  const ids = step?.calls.map(({ callId }) => callId) ?? [];
  expect(new Set(ids).size).toBe(5);
  expect(ids.every((id) => /^[\w-]{1,128}$/.test(id))).toBe(true);
});

test("a stream that ends before the model did is no answer", () => {
  const listener = { told: () => undefined, warned: () => undefined };
  const builder = new StepBuilder(listener, new KeyRedactor(undefined), (given) => given);
  builder.take({ type: "text-delta", id: "1", delta: "Half" });
  expect([builder.text, builder.finished()]).toEqual(["Half", undefined]);
});
