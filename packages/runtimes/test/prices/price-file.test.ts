import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { costOf } from "../../src/prices/cost-of.ts";
import { MODEL_PRICES } from "../../src/prices/model-prices.ts";
import { readPrices } from "../../src/prices/price-file.ts";

const MILLION = 1_000_000;
const ONE = { input: 1, output: 2, cacheRead: 0, cacheWrite: 0 };
const USED = {
  inputTokens: MILLION,
  outputTokens: MILLION,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  thinkingTokens: null,
  totalTokens: null,
};

async function fileOf(content: unknown): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "aos-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "prices.json");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

test("[agent.prices] a model that the file names costs what it says, by the day; the others what they did", async () => {
  const models = [
    { model: "gpt-5", ...ONE },
    { model: "gpt-5", from: "2027-01-01", ...ONE, output: 9 },
    { model: "of-my-own", ...ONE },
  ];
  const prices = await readPrices(await fileOf({ asOf: "2026-12-01", models }));
  expect(costOf(prices, "gpt-5", USED, "2026-12-01")).toBe(3);
  expect(costOf(prices, "gpt-5", USED, "2027-02-01")).toBe(10);
  expect(costOf(prices, "of-my-own", USED)).toBe(3);
  expect(costOf(prices, "gpt-5-mini", USED)).toBe(costOf(MODEL_PRICES, "gpt-5-mini", USED));
  expect(await readPrices(undefined)).toBe(MODEL_PRICES);
});

test.each([
  ["no JSON", "prices", /JSON/],
  ["no day", { models: [] }, /asOf/],
  ["a day that is none", { asOf: "yesterday", models: [] }, /asOf/],
  ["a price below 0", { asOf: "2026-12-01", models: [{ model: "m", ...ONE, input: -1 }] }, /input/],
  [
    "a price of a text",
    { asOf: "2026-12-01", models: [{ model: "m", ...ONE, output: "2" }] },
    /output/,
  ],
  [
    "a field that nobody knows",
    { asOf: "2026-12-01", models: [{ model: "m", ...ONE, inptu: 1 }] },
    /inptu/,
  ],
])("[agent.prices-refused] %s is refused, and the error says where", async (_, content, where) => {
  const path = await fileOf(content);
  await expect(readPrices(path)).rejects.toMatchObject({
    code: "SIDECAR_START_FAILED",
    message: expect.stringMatching(where),
  });
});

test("[agent.prices-refused] a file that is not there is refused", async () => {
  await expect(readPrices("/none/such.json")).rejects.toMatchObject({
    code: "SIDECAR_START_FAILED",
  });
});
