/** Tokens of one answer, in one meaning for all formats; each format writes its own. */
export interface Usage {
  /** Read anew: neither from nor into the cache. */
  readonly inputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  /** All that was written, reasoning included. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

/** A token is about four characters. */
export function estimateTokens(characters: number): number {
  return Math.ceil(characters / 4);
}

/** Everything that was read, cached or not. */
export function promptTokens(usage: Usage): number {
  return usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
}
