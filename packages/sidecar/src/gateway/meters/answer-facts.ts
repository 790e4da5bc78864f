import type { Usage } from "@agentos/protocol";

export type TokenUsage = Omit<Usage, "costUsd">;

/** What an answer has told so far. */
export interface AnswerFacts {
  model: string | undefined;
  tokens: TokenUsage;
  hasToolCalls: boolean;
  /** The provider's own error in the middle of a stream. */
  error: { readonly type?: string | undefined; readonly message: string } | undefined;
  /** The answer is whole: what follows says nothing more. */
  isWhole: boolean;
}

export function noFacts(): AnswerFacts {
  return {
    model: undefined,
    tokens: NO_TOKENS,
    hasToolCalls: false,
    error: undefined,
    isWhole: false,
  };
}

const NO_TOKENS: TokenUsage = {
  inputTokens: null,
  outputTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  thinkingTokens: null,
  totalTokens: null,
};

interface ToldTokens {
  /** Read anew, caches not included. */
  readonly anew: number | null;
  readonly cacheRead?: number | null | undefined;
  readonly cacheWrite?: number | null | undefined;
  /** Thoughts included. */
  readonly output: number | null;
  readonly thinking?: number | null | undefined;
}

/** Every provider's figures with one meaning: caches on top of the input, thoughts within the output. */
export function tokenUsage(told: ToldTokens): TokenUsage {
  const { anew, output, cacheRead = null, cacheWrite = null, thinking = null } = told;
  const cached = (cacheRead ?? 0) + (cacheWrite ?? 0);
  return {
    inputTokens: anew,
    outputTokens: output,
    cacheReadTokens: cacheRead,
    cacheWriteTokens: cacheWrite,
    thinkingTokens: thinking,
    totalTokens: anew === null || output === null ? null : anew + cached + output,
  };
}
