import type { Usage } from "@agentos/client";

import { formatDuration } from "../output/quantity.ts";

/** What a turn took, in one line. Cost is said only where it is known. */
export function describeUsage(usage: Usage | null, durationMs: number): string {
  const parts = [formatDuration(durationMs)];
  if (usage !== null) {
    parts.push(`${count(usage.inputTokens)} tokens in, ${count(usage.outputTokens)} out`);
    if ((usage.cacheReadTokens ?? 0) > 0) parts.push(`${count(usage.cacheReadTokens)} from cache`);
    parts.push(usage.costUsd === null ? "cost unknown" : `$${usage.costUsd.toFixed(4)}`);
  }
  return parts.join(" · ");
}

function count(tokens: number | null): string {
  return tokens === null ? "?" : tokens.toLocaleString("en");
}
