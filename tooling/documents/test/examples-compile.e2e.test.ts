import { expect, test } from "vitest";

import { CompiledExamples } from "../src/compile-examples.ts";
import { examplesOf, PAGES } from "../src/pages.ts";

test("[docs.compile] every TypeScript example of every page compiles", async () => {
  const count = PAGES.flatMap((page) => examplesOf(page)).filter(
    ({ language }) => language === "ts",
  );
  expect(count.length).toBeGreaterThan(10);
  await using compiled = await CompiledExamples.make();
  expect(compiled.faults).toBe("");
});

test("[docs.json] every JSON example parses", () => {
  const broken = PAGES.flatMap((page) =>
    examplesOf(page)
      .filter(({ language, code }) => language === "json" && !isJson(code))
      .map(({ line }) => `${page}:${line}`),
  );
  expect(broken).toEqual([]);
});

function isJson(code: string): boolean {
  try {
    JSON.parse(code);
    return true;
  } catch {
    // The answer is the caller's to report.
    return false;
  }
}
