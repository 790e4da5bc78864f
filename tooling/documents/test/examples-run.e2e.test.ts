import { afterAll, beforeAll, test } from "vitest";

import { CompiledExamples } from "../src/compile-examples.ts";
import { examplesOf, PAGES } from "../src/pages.ts";
import { runExamples } from "../src/run-examples.ts";

const pages = PAGES.filter((page) =>
  examplesOf(page).some(({ language, notRun }) => language !== "json" && notRun === undefined),
);
let compiled: CompiledExamples;

beforeAll(async () => {
  compiled = await CompiledExamples.make();
});

afterAll(async () => {
  await compiled[Symbol.asyncDispose]();
});

test.concurrent.for(pages)(
  "[docs.run] the examples of %s run",
  { timeout: 120_000 },
  async (page, { expect }) => {
    expect(await runExamples(compiled, page)).toEqual([]);
  },
);
