import { readFile } from "node:fs/promises";

import { AgentOsError } from "@agentos/protocol";
import * as z from "zod";

import { MODEL_PRICES, type ModelPrice } from "./model-prices.ts";

const MAX_MODELS = 1_000;
const dollars = z.number().min(0).max(1_000_000);
const day = z.iso.date();

const tokenPrices = { input: dollars, output: dollars, cacheRead: dollars, cacheWrite: dollars };
const Price = z.strictObject({
  model: z.string().min(1).max(256),
  /** The first day of these prices, UTC. */
  from: day.optional(),
  ...tokenPrices,
  long: z.strictObject({ above: z.int().min(1), ...tokenPrices }).optional(),
});

/** Prices of one's own, in US dollars for a million tokens. */
const PriceFile = z.strictObject({
  /** When they were last looked at. */
  asOf: day,
  models: z.array(Price).max(MAX_MODELS),
});

/**
 * What models cost by a file of one's own: a model that it names has the file's prices only, the others this build's.
 * Without a path this build's. Rejects with `SIDECAR_START_FAILED` for a file that can't be read or is not of that form.
 */
export async function readPrices(path: string | undefined): Promise<readonly ModelPrice[]> {
  if (path === undefined) return MODEL_PRICES;
  const own = (await readPriceFile(path)).map(({ from, long, ...price }) => ({
    ...price,
    ...(from === undefined ? {} : { from }),
    ...(long === undefined ? {} : { long }),
  }));
  const named = new Set(own.map(({ model }) => model));
  return [...own, ...MODEL_PRICES.filter(({ model }) => !named.has(model))];
}

async function readPriceFile(path: string): Promise<z.infer<typeof Price>[]> {
  try {
    const parsed = PriceFile.safeParse(JSON.parse(await readFile(path, "utf8")));
    if (parsed.success) return parsed.data.models;
    const [issue] = parsed.error.issues;
    throw notUsable(path, `${issue?.path.join(".") || "the file"}: ${issue?.message}`);
  } catch (error) {
    if (error instanceof AgentOsError) throw error;
    throw notUsable(path, error instanceof Error ? error.message : String(error));
  }
}

function notUsable(path: string, why: string): AgentOsError<"SIDECAR_START_FAILED"> {
  const reason = `the prices in ${path} can't be used: ${why}`;
  return new AgentOsError("SIDECAR_START_FAILED", reason, { reason, stderr: [] });
}
