import type * as z from "zod";

import { AgentOsError } from "./agent-os-error.ts";

const SHOWN_CHARACTERS = 80;
const NAMED_CHARACTERS = 200;

/** Parses `value`, or throws `INVALID_ARGUMENT` naming the field, what was expected and what came. */
export function parseArgument<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidArgument(result.error, value, name);
}

function invalidArgument(error: z.ZodError, value: unknown, name: string): AgentOsError {
  const issue = error.issues[0];
  const path = issue?.path ?? [];
  const argument = short([name, ...path.map(String)].join("."), NAMED_CHARACTERS);
  const expected = short(expectation(issue), NAMED_CHARACTERS);
  const actual = show(valueAt(value, path));
  return new AgentOsError("INVALID_ARGUMENT", `${argument}: ${expected}, got ${actual}`, {
    argument,
    expected,
    actual,
  });
}

function expectation(issue: z.core.$ZodIssue | undefined): string {
  // Of a key the reason is one level deeper.
  if (issue?.code === "invalid_key") return issue.issues[0]?.message ?? issue.message;
  return issue?.message ?? "a valid value";
}

function short(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, key)) {
      return undefined;
    }
    current = Reflect.get(current, key);
  }
  return current;
}

function show(value: unknown): string {
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) ? "an array" : "an object";
  const text =
    typeof value === "string"
      ? JSON.stringify(value.slice(0, 2 * SHOWN_CHARACTERS))
      : String(value);
  return short(text, SHOWN_CHARACTERS);
}
