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
});
export type SessionUsage = z.infer<typeof SessionUsage>;
