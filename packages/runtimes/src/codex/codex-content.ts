import type { RuntimeHost, RuntimeTurn } from "@agentos/core";
import { AgentOsError, type ContentPart, type JsonObject } from "@agentos/protocol";

import { readContent } from "../api/read-content.ts";

const FROM_SYSTEM = "[from the system, not from the user]";
/** What was said is in the conversation already. */
const GO_ON = "The model's provider failed before you were done. Go on with the last request.";

/** A turn's content as Codex takes it. Rejects as `readContent` does. */
export async function userInput(
  { vm }: RuntimeHost,
  { content, from, attempt }: Pick<RuntimeTurn, "content" | "from" | "attempt">,
): Promise<JsonObject[]> {
  if (attempt > 0) return [{ type: "text", text: GO_ON }];
  const parts = (await readContent(vm, content)).map(inputOf);
  return from === "hook" ? [{ type: "text", text: FROM_SYSTEM }, ...parts] : parts;
}

function inputOf(part: ContentPart): JsonObject {
  if (part.type === "text") return { type: "text", text: part.text };
  const { type, mediaType, data = "" } = part;
  if (type === "image") return { type: "image", url: `data:${mediaType};base64,${data}` };
  const argument = "content";
  const expected = "text and images";
  const message = `${argument}: codex takes ${expected}, got ${mediaType}`;
  throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual: mediaType });
}
