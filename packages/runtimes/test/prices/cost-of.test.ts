import { describe, expect, test } from "vitest";

import { MODEL_PRICES } from "../../src/index.ts";
import { costOf } from "../../src/prices/cost-of.ts";
import { DEFAULT_MODELS } from "../../src/api/default-models.ts";

const used = {
  inputTokens: 1_000,
  outputTokens: 100,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  thinkingTokens: null,
  totalTokens: null,
};

const cost = (model: string, more: Partial<typeof used> | object = {}, day = "2026-11-21") =>
  costOf(MODEL_PRICES, model, { ...used, ...more }, day);

describe("what a call costs", () => {
  test("[api.cost] caches are priced as caches", () => {
    expect(cost("claude-sonnet-4-6")).toBeCloseTo((1_000 * 3 + 100 * 15) / 1e6, 12);
    const caches = { cacheReadTokens: 10_000, cacheWriteTokens: 2_000 };
    expect(cost("claude-sonnet-4-6", caches)).toBeCloseTo(
      (1_000 * 3 + 100 * 15 + 10_000 * 0.3 + 2_000 * 3.75) / 1e6,
      12,
    );
  });

  test("a long prompt has its own prices", () => {
    const long = { inputTokens: 100_000, cacheReadTokens: 150_000 };
    expect(cost("claude-sonnet-4-5", long)).toBeCloseTo(
      (100_000 * 6 + 100 * 22.5 + 150_000 * 0.6) / 1e6,
      12,
    );
  });

  test("a day in a model's name, and the day of the call, count", () => {
    expect(cost("gpt-5-2025-08-07")).toBe(cost("gpt-5"));
    expect(cost("claude-opus-4-5-20251101")).toBe(cost("claude-opus-4-5"));
    expect(cost("gemini-3.8-flash", {}, "2026-12-31")).toBeCloseTo(0.001125, 12);
    expect(cost("gemini-3.8-flash", {}, "2027-01-01")).toBeCloseTo(0.00225, 12);
  });

  test("[api.cost] what is not known costs null, never nothing", () => {
    expect(cost("a-model-of-mine")).toBeNull();
    expect(cost("gpt-5", { inputTokens: null })).toBeNull();
    expect(cost("gpt-5", { outputTokens: null })).toBeNull();
  });

  test("each default model has a price", () => {
    const models = Object.values(DEFAULT_MODELS).flatMap((model) => model ?? []);
    expect(models.map((model) => cost(model)).filter((each) => each === null)).toEqual([]);
  });
});
