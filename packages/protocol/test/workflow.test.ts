import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { parseWorkflow } from "../src/index.ts";
import { WORKFLOW_SCHEMA_FILE, workflowSchemaText } from "../scripts/workflow-schema.ts";

const SMALLEST = { version: "1.0", name: "n", swarm: { pattern: "dag" } };
const step = (more: object) => ({
  ...SMALLEST,
  workflows: [{ name: "w", steps: [{ name: "s", ...more }] }],
});

describe("a workflow's definition", () => {
  test("[workflow.schema] the published schema is what the code checks", () => {
    const published: unknown = JSON.parse(readFileSync(WORKFLOW_SCHEMA_FILE, "utf8"));
    expect(published).toEqual(JSON.parse(workflowSchemaText()));
    expect(published).toMatchObject({
      type: "object",
      required: ["version", "name", "swarm"],
      additionalProperties: false,
    });
  });

  test("its kind of step is found by its type, or what only one kind has", () => {
    expect(parseWorkflow(step({ agent: "a", task: "t" }))).toBeDefined();
    expect(parseWorkflow(step({ use: "x" }))).toBeDefined();
    expect(parseWorkflow(step({ type: "worktree", branch: "b" }))).toBeDefined();
  });

  test.each([
    [
      "a field of another kind",
      { type: "deterministic", command: "c", task: "t" },
      /steps\.0.*"task"/,
    ],
    ["a missing field", { agent: "a" }, /steps\.0\.task/],
    ["a wrong type", { type: "magic" }, /steps\.0\.type/],
    ["a name with a path", { name: "../x", agent: "a", task: "t" }, /steps\.0\.name/],
    ["a reserved name", { name: "constructor", agent: "a", task: "t" }, /reserved/],
    ["a step that is none", { name: "s", agent: 1, task: "t" }, /steps\.0\.agent/],
  ])("[workflow.strict] %s is refused by its place", (_, more, reason) => {
    expect(() => parseWorkflow(step(more))).toThrow(reason);
  });
});
