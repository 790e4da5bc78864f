import type { LanguageModelV4Usage } from "@ai-sdk/provider";
import type { Usage } from "@agentos/protocol";

export type TokenUsage = Omit<Usage, "costUsd">;

/** What one call used, `null` where the provider did not say: input read anew, caches on top, thoughts within the output. */
export function callUsage({ inputTokens, outputTokens }: LanguageModelV4Usage): TokenUsage {
  const total = count(inputTokens.total);
  const cacheReadTokens = count(inputTokens.cacheRead);
  const cacheWriteTokens = count(inputTokens.cacheWrite);
  const cached = (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0);
  const anew = count(inputTokens.noCache) ?? (total === null ? null : Math.max(0, total - cached));
  const output = count(outputTokens.total);
  return {
    inputTokens: anew,
    outputTokens: output,
    cacheReadTokens,
    cacheWriteTokens,
    thinkingTokens: count(outputTokens.reasoning),
    totalTokens: anew === null || output === null ? null : anew + cached + output,
  };
}

function count(value: number | undefined): number | null {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
