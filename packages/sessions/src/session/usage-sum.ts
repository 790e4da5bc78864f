import type { SessionUsage, Usage } from "@agentos/protocol";

import { SESSION_BOUNDS } from "./session-bounds.ts";

const NO_USAGE: Usage = {
  inputTokens: null,
  outputTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  thinkingTokens: null,
  totalTokens: null,
  costUsd: null,
};

export const NO_SESSION_USAGE: SessionUsage = {
  turn: null,
  total: NO_USAGE,
  byAgent: {},
  byModel: {},
};

/** The main agent's name among those that use something. */
export const MAIN_AGENT = "main";
/** What models are summed up as beyond the bound. */
const OTHER_MODELS = "other";

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
export function withCall(
  usage: SessionUsage,
  used: Usage,
  { agent, model }: { agent: string; model: string | undefined },
): SessionUsage {
  const { byModel = {} } = usage;
  return {
    turn: addUsage(usage.turn ?? NO_USAGE, used),
    total: addUsage(usage.total, used),
    byAgent: withEntry(usage.byAgent, agent, used),
    byModel: model === undefined ? byModel : withEntry(byModel, modelKey(byModel, model), used),
  };
}

function withEntry(
  entries: Readonly<Record<string, Usage>>,
  name: string,
  used: Usage,
): Record<string, Usage> {
  const known = Object.hasOwn(entries, name) ? entries[name] : undefined;
  return { ...entries, [name]: addUsage(known ?? NO_USAGE, used) };
}

/** An agent may ask a server of one's own for any number of models. */
function modelKey(entries: Readonly<Record<string, Usage>>, model: string): string {
  const name = model.slice(0, SESSION_BOUNDS.modelNameChars);
  if (Object.hasOwn(entries, name)) return name;
  return Object.keys(entries).length < SESSION_BOUNDS.modelsPerSession ? name : OTHER_MODELS;
}

/** All tokens of it; `null` where nothing is known. */
export function tokensOf({ totalTokens, inputTokens, outputTokens }: Usage): number | null {
  return totalTokens ?? add(inputTokens, outputTokens);
}

function add(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return a + b;
}
