import { join } from "node:path";

import { expect, test } from "vitest";

import { DRIVER_SCENARIOS, readClaims, SCENARIOS } from "../src/claims.ts";
import { requirements } from "../src/requirements.ts";
import { asOrdinaryUser, asRunnerOnly } from "../src/requirements/as-ordinary-user.ts";

const claims = readClaims(join(import.meta.dirname, "../../.."));
const claimed = new Set(claims.filter(({ checks }) => checks).flatMap(({ ids }) => ids));

test("no two requirements share an id", () => {
  const ids = requirements.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("each requirement has a test that could fail", () => {
  const missing = requirements.filter(({ id }) => !claimed.has(id)).map(({ id }) => id);
  expect(missing).toEqual([]);
});

test("each claimed id is a requirement", () => {
  const known = new Set(requirements.map(({ id }) => id));
  const unknown = claims.flatMap(({ ids, file }) =>
    ids.filter((id) => !known.has(id)).map((id) => `${file}: ${id}`),
  );
  expect(unknown).toEqual([]);
});

test("a claim without a check is told apart", () => {
  expect(claims.filter(({ checks }) => !checks).map(({ title }) => title)).toEqual([]);
});

test("what needs the linux driver is tried as both kinds of user", () => {
  const tried = new Set(
    claims.filter(({ file }) => file.startsWith(SCENARIOS)).flatMap(({ ids }) => ids),
  );
  const linux = requirements.filter(({ needs }) => needs === "linux").map(({ id }) => id);
  expect(linux.filter((id) => !tried.has(id))).toEqual(Object.keys(asRunnerOnly));
  expect(Object.keys(asOrdinaryUser).filter((id) => !linux.includes(id))).toEqual([]);
});

test("what holds on the virtual driver is tried there", () => {
  const scenarios = claims.filter(({ file }) => file.startsWith(DRIVER_SCENARIOS));
  const tried = new Set(scenarios.flatMap(({ ids }) => ids));
  const marked = requirements.filter(({ drivers }) => drivers?.includes("virtual") === true);
  expect([...tried].toSorted()).toEqual(marked.map(({ id }) => id).toSorted());
});
