import * as z from "zod";

const count = z.int().min(0).nullable();

/** What a model consumed. `null`: the provider or the price table does not say. */
export const Usage = z.object({
  inputTokens: count,
  outputTokens: count,
  cacheReadTokens: count,
  cacheWriteTokens: count,
  thinkingTokens: count,
  totalTokens: count,
  costUsd: z.number().min(0).nullable(),
});
export type Usage = z.infer<typeof Usage>;

export const SessionUsage = z.object({
  /** Of the running turn so far; between turns of the last one. */
  turn: Usage.nullable(),
  total: Usage,
  /** By agent: `main`, and each subagent by its session's id. */
  byAgent: z.record(z.string(), Usage),
  /** By model, as its provider names it. */
  byModel: z.record(z.string(), Usage).optional(),
});
export type SessionUsage = z.infer<typeof SessionUsage>;

/** One call of a model. */
export const ModelUse = z.object({
  /** As its provider names it; `null` where it did not. */
  model: z.string().nullable(),
  usage: Usage,
});
export type ModelUse = z.infer<typeof ModelUse>;
