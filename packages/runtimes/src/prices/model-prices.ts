/** US dollars for a million tokens. */
interface TokenPrices {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
}

/** What a model's tokens cost from a day on. */
export interface ModelPrice extends TokenPrices {
  readonly model: string;
  /** The first day of these prices, UTC. Absent: they hold for every day before the next ones. */
  readonly from?: string;
  /** A call with more input than this costs that much for all of its tokens. */
  readonly long?: TokenPrices & { readonly above: number };
}

/** When the table was last compared with the providers' pages. */
export const PRICES_AS_OF = "2026-11-21";

/** List prices of models, as the providers' pages say them: no batches, no other tiers, five-minute cache writes. */
export const MODEL_PRICES: readonly ModelPrice[] = [
  claude("claude-fable-5", 10, 50),
  claude("claude-fable-5-1", 10, 50, 0.025),
  claude("claude-opus-5-5", 4, 20, 0.05),
  claude("claude-opus-5", 5, 25),
  claude("claude-opus-4-8", 5, 25),
  claude("claude-opus-4-7", 5, 25),
  claude("claude-opus-4-6", 5, 25),
  claude("claude-opus-4-5", 5, 25),
  claude("claude-opus-4-1", 15, 75),
  claude("claude-opus-4-0", 15, 75),
  claude("claude-opus-4", 15, 75),
  claude("claude-sonnet-5-5", 2, 10, 0.05),
  claude("claude-sonnet-5", 2, 10),
  claude("claude-sonnet-4-6", 3, 15),
  { ...claude("claude-sonnet-4-5", 3, 15), long: { above: 200_000, ...claudePrices(6, 22.5) } },
  { ...claude("claude-sonnet-4-0", 3, 15), long: { above: 200_000, ...claudePrices(6, 22.5) } },
  { ...claude("claude-sonnet-4", 3, 15), long: { above: 200_000, ...claudePrices(6, 22.5) } },
  { ...claude("claude-haiku-5-5", 0.1, 0.5), long: { above: 100_000, ...claudePrices(0.5, 2.5) } },
  claude("claude-haiku-4-5", 1, 5),
  claude("claude-3-5-haiku", 0.8, 4),
  gpt6("gpt-6.1-sol", 2, 10, 0.1),
  gpt6("gpt-6.1-terra", 1, 5, 0.05),
  gpt6("gpt-6-astra", 10, 50, 1),
  gpt6("gpt-5.6-terra", 2, 12, 0.2),
  gpt6("gpt-5.6-luna", 0.2, 1.2, 0.02),
  gpt("gpt-5.2", 1.75, 14, 0.175),
  gpt("gpt-5.1", 1.25, 10, 0.125),
  gpt("gpt-5", 1.25, 10, 0.125),
  gpt("gpt-5-mini", 0.25, 2, 0.025),
  gpt("gpt-5-nano", 0.05, 0.4, 0.005),
  gpt("gpt-4.1", 2, 8, 0.5),
  gpt("gpt-4.1-mini", 0.4, 1.6, 0.1),
  gpt("gpt-4.1-nano", 0.1, 0.4, 0.025),
  gpt("gpt-4o", 2.5, 10, 1.25),
  gpt("gpt-4o-mini", 0.15, 0.6, 0.075),
  gemini("gemini-3.8-flash", 0.75, 3.75),
  { ...gemini("gemini-3.8-flash", 1.5, 7.5), from: "2027-01-01" },
  {
    ...gemini("gemini-2.5-pro", 1.25, 10),
    long: { above: 200_000, ...geminiPrices(2.5, 15) },
  },
  gemini("gemini-2.5-flash", 0.3, 2.5),
  gemini("gemini-2.5-flash-lite", 0.1, 0.4),
];

function claude(model: string, input: number, output: number, readShare = 0.1): ModelPrice {
  return { model, ...claudePrices(input, output, readShare) };
}

function claudePrices(input: number, output: number, readShare = 0.1): TokenPrices {
  return { input, output, cacheRead: input * readShare, cacheWrite: input * 1.25 };
}

/** Those that write their cache for a quarter more, and cost more above 272,000 tokens. */
function gpt6(model: string, input: number, output: number, cacheRead: number): ModelPrice {
  const prices = { input, output, cacheRead, cacheWrite: input * 1.25 };
  const long = {
    above: 272_000,
    input: input * 2,
    output: output * 1.5,
    cacheRead: cacheRead * 2,
    cacheWrite: prices.cacheWrite * 2,
  };
  return { model, ...prices, long };
}

function gpt(model: string, input: number, output: number, cacheRead: number): ModelPrice {
  return { model, input, output, cacheRead, cacheWrite: input };
}

function gemini(model: string, input: number, output: number): ModelPrice {
  return { model, ...geminiPrices(input, output) };
}

function geminiPrices(input: number, output: number): TokenPrices {
  return { input, output, cacheRead: input * 0.1, cacheWrite: input };
}
