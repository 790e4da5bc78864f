import type { Usage } from "@agentos/protocol";

import type { ModelPrice } from "./model-prices.ts";

/** A day at a model's end: `-20250929`, `-2025-08-07`, or `-latest`. */
const DATED = /-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$/;

const MILLION = 1_000_000;

/** What one model call cost, in US dollars; `null` where the model or its use is not known. */
export function costOf(
  prices: readonly ModelPrice[],
  model: string,
  usage: Omit<Usage, "costUsd">,
  day = new Date().toISOString().slice(0, 10),
): number | null {
  const price = priceOf(prices, model, day);
  const { inputTokens, outputTokens } = usage;
  if (price === undefined || inputTokens === null || outputTokens === null) return null;
  const cacheRead = usage.cacheReadTokens ?? 0;
  const cacheWrite = usage.cacheWriteTokens ?? 0;
  const isLong = inputTokens + cacheRead + cacheWrite > (price.long?.above ?? Infinity);
  const rate = isLong && price.long !== undefined ? price.long : price;
  const parts =
    inputTokens * rate.input +
    outputTokens * rate.output +
    cacheRead * rate.cacheRead +
    cacheWrite * rate.cacheWrite;
  return parts / MILLION;
}

function priceOf(
  prices: readonly ModelPrice[],
  model: string,
  day: string,
): ModelPrice | undefined {
  const names = [model, model.replace(DATED, "")];
  const known = names
    .map((name) => prices.filter((price) => price.model === name && (price.from ?? "") <= day))
    .find((found) => found.length > 0);
  return known?.toSorted((a, b) => (b.from ?? "").localeCompare(a.from ?? ""))[0];
}
