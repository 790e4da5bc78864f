import { createHash } from "node:crypto";

import type { Json, Question, ToolCall } from "@agentos/protocol";

/** What an answer is bound to: the session, its fence, and the tool with its exact arguments, or the exact questions. Hex SHA-256. */
export function requestDigest(
  sessionId: string,
  fence: number,
  asked: ToolCall | readonly Question[],
): string {
  return createHash("sha256")
    .update(canonical([sessionId, fence, ...wordsOf(asked)]))
    .digest("hex");
}

function wordsOf(asked: ToolCall | readonly Question[]): Json[] {
  if ("name" in asked) return [asked.name, asked.server ?? null, asked.input];
  return asked.map(({ question, options, multiSelect }) => [question, options, multiSelect]);
}

/** JSON whose objects have their keys in order: equal values, equal text. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.keys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`);
  return `{${fields.join(",")}}`;
}
