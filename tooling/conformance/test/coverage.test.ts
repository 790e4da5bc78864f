import { join } from "node:path";

import { expect, test } from "vitest";

import { readClaims } from "../src/claims.ts";
import { requirements } from "../src/requirements.ts";

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
