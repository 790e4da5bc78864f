import * as fc from "fast-check";
import { expect, test } from "vitest";
import type * as z from "zod";

import { type AgentOsError, isAgentOsError } from "../src/agent-os-error.ts";
import { parseArgument } from "../src/invalid-argument.ts";
import { METHODS } from "../src/methods.ts";

const STAT = METHODS["fs.stat"].params;

test("the error names the field, what was expected and what came", () => {
  expect(() => parseArgument(STAT, { vmId: "a", fence: 1, path: "x" }, "fs.stat")).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: 'fs.stat.path: expected an absolute path, got "x"',
      details: { argument: "fs.stat.path", expected: "expected an absolute path", actual: '"x"' },
    }),
  );
});

/** What `parseArgument` throws for a value, or undefined. */
function refusal(schema: z.ZodType, value: unknown): AgentOsError | undefined {
  try {
    parseArgument(schema, value, "method");
  } catch (error) {
    if (!isAgentOsError(error, "INVALID_ARGUMENT")) throw error;
    return error;
  }
  return undefined;
}

test("whatever comes, the error is typed", () => {
  const anything = fc.anything({ withBigInt: true, withNullPrototype: true });
  fc.assert(
    fc.property(anything, (value) => {
      expect(refusal(METHODS["process.exec"].params, value)).toBeDefined();
    }),
  );
});

test.each([
  { limits: { ["x".repeat(100_000)]: 1 } },
  { env: { ["=".repeat(100_000)]: "" } },
  { vmId: "y".repeat(100_000) },
])("case %#: a huge key or value makes no huge error", (part) => {
  const error = refusal(METHODS["vm.create"].params, { vmId: "a", leaseId: "l", ...part });
  expect(error?.message.length).toBeLessThan(1_000);
});
