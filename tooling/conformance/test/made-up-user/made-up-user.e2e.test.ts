import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { readClaims, SCENARIOS } from "../../src/claims.ts";
import { madeUpUser } from "../../src/made-up-user.ts";
import { Installation } from "./installation.ts";
import { runScenarios, type ScenarioResult } from "./scenario-run.ts";

const INSTALL_AND_RUN_MS = 700_000;
const claims = readClaims(join(import.meta.dirname, "../../../..")).filter(({ file }) =>
  file.startsWith(SCENARIOS),
);
const user = madeUpUser();

let installation: Installation | undefined;
let results: ScenarioResult[] = [];

beforeAll(async () => {
  installation = await Installation.make();
  results = await runScenarios(installation, user);
}, INSTALL_AND_RUN_MS);
afterAll(async () => {
  await installation?.[Symbol.asyncDispose]();
});

// One test for each claim, so that a run says by its ids what holds for an ordinary user.
describe(`the packed packages, as user ${user}, who has no line in the password file`, () => {
  for (const { file, title } of claims) {
    // A title as it was found: test.for would cut it, and with it its ids.
    // oxlint-disable-next-line vitest/valid-title
    test(title, () => {
      const result = results.find((one) => one.file === file && one.title === title);
      expect(result).toMatchObject({ passed: true, failure: "" });
    });
  }

  test("no other scenario fails, and none is left out", () => {
    const known = new Set(claims.map(({ title }) => title));
    const others = results.filter(({ title }) => !known.has(title));
    expect(others.filter(({ passed }) => !passed)).toEqual([]);
    expect(results.length).toBeGreaterThanOrEqual(claims.length);
  });
});
