import type { RuntimeHost, RuntimeTurn } from "@agentos/core";
import { AgentOsError, type ContentPart, type JsonObject } from "@agentos/protocol";

import { readContent } from "../api/read-content.ts";

const FROM_SYSTEM = "[from the system, not from the user]";
/** What was said is in the conversation already. */
const GO_ON = "The model's provider failed before you were done. Go on with the last request.";

/** A turn's content as a line of Claude Code's input. Rejects as `readContent` does. */
export async function userLine(
  { vm }: RuntimeHost,
  { content, from, attempt }: Pick<RuntimeTurn, "content" | "from" | "attempt">,
): Promise<JsonObject> {
  const parts =
    attempt > 0 ? [{ type: "text" as const, text: GO_ON }] : await readContent(vm, content);
  const blocks = parts.map(blockOf);
  const intro = from === "hook" ? [{ type: "text", text: FROM_SYSTEM }] : [];
  return {
    type: "user",
    message: { role: "user", content: [...intro, ...blocks] },
    parent_tool_use_id: null,
    session_id: "",
  };
}

function blockOf(part: ContentPart): JsonObject {
  if (part.type === "text") return { type: "text", text: part.text };
  const { type, mediaType, data = "" } = part;
  const source = { type: "base64", media_type: mediaType, data };
  if (type === "image") return { type: "image", source };
  if (mediaType === "application/pdf") return { type: "document", source };
  const argument = "content";
  const expected = "text, images and PDFs";
  const message = `${argument}: claude-code takes ${expected}, got ${mediaType}`;
  throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual: mediaType });
}
