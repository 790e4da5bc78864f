import type { SessionUsage, Usage } from "@agentos/protocol";

const NO_USAGE: Usage = {
  inputTokens: null,
  outputTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  thinkingTokens: null,
  totalTokens: null,
  costUsd: null,
};

export const NO_SESSION_USAGE: SessionUsage = { turn: null, total: NO_USAGE, byAgent: {} };

/** The main agent's name among those that use something. */
export const MAIN_AGENT = "main";

/** The sum, field by field; what neither knows stays unknown. */
function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: add(a.inputTokens, b.inputTokens),
    outputTokens: add(a.outputTokens, b.outputTokens),
    cacheReadTokens: add(a.cacheReadTokens, b.cacheReadTokens),
    cacheWriteTokens: add(a.cacheWriteTokens, b.cacheWriteTokens),
    thinkingTokens: add(a.thinkingTokens, b.thinkingTokens),
    totalTokens: add(a.totalTokens, b.totalTokens),
    costUsd: add(a.costUsd, b.costUsd),
  };
}

/** A session's usage with one model call of an agent more. */
export function withCall(usage: SessionUsage, used: Usage, agent: string): SessionUsage {
  return {
    turn: addUsage(usage.turn ?? NO_USAGE, used),
    total: addUsage(usage.total, used),
    byAgent: { ...usage.byAgent, [agent]: addUsage(usage.byAgent[agent] ?? NO_USAGE, used) },
  };
}

/** All tokens of it; `null` where nothing is known. */
export function tokensOf({ totalTokens, inputTokens, outputTokens }: Usage): number | null {
  return totalTokens ?? add(inputTokens, outputTokens);
}

function add(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return a + b;
}
