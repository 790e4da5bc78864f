import { expect, test } from "vitest";

import { benchUsage, readBenchArguments } from "../src/bench-arguments.ts";

const KNOWN = ["exec", "create"];
const read = (...args: string[]) => readBenchArguments(args, KNOWN);

test("without arguments it runs every row", () => {
  expect(read()).toEqual({ kind: "run", json: "bench.json", count: 200, rows: KNOWN });
});

test("a row that is only measured by its name is left out otherwise", () => {
  expect(readBenchArguments([], KNOWN, ["exec"])).toMatchObject({ rows: ["exec"] });
  expect(readBenchArguments(["--row", "create"], KNOWN, ["exec"])).toMatchObject({
    rows: ["create"],
  });
});

test("it runs the rows, as often, and writes where it is told", () => {
  expect(read("--row", "exec", "--count", "5", "--json", "out.json")).toEqual({
    kind: "run",
    json: "out.json",
    count: 5,
    rows: ["exec"],
  });
});

test.for([["--help"], ["-h"], ["--row", "none", "--help"]])("%s asks for the usage", (args) => {
  expect(read(...args)).toEqual({ kind: "help" });
  expect(benchUsage(KNOWN)).toContain("rows: exec, create");
});

test.for([
  ["--row", "none"],
  ["--row"],
  ["--unknown"],
  ["exec"],
  ["--count", "0"],
  ["--count", "1.5"],
  ["--count", "many"],
  ["--count", ""],
  ["--help=yes"],
])("%s is wrong, in one line", (args) => {
  expect(read(...args)).toEqual({ kind: "wrong", message: expect.stringMatching(/^[^\n]+$/) });
});
