import { createHash } from "node:crypto";

import type { Json, ToolCall } from "@agentos/protocol";

/** What an approval is bound to: the session, its fence, the tool and its exact arguments. Hex SHA-256. */
export function callDigest(sessionId: string, fence: number, call: ToolCall): string {
  const { name, server = null, input } = call;
  return createHash("sha256")
    .update(canonical([sessionId, fence, name, server, input]))
    .digest("hex");
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
