import type { ContentPart, Json, JsonObject } from "@agentos/protocol";

/** A result's content as MCP has it. */
export function mcpContent(content: readonly ContentPart[]): JsonObject[] {
  return content.map((part) => {
    if (part.type === "text") return { type: "text", text: part.text };
    if (part.type === "image" && part.data !== undefined) {
      return { type: "image", data: part.data, mimeType: part.mediaType };
    }
    return { type: "text", text: `[${part.type} ${part.path ?? part.mediaType}]` };
  });
}

/** The text of what an agent tells as a tool's result: a string, or blocks as Anthropic and MCP have them. */
export function resultContent(content: Json | undefined): ContentPart[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) return [];
  return content.flatMap((block): ContentPart[] => {
    if (typeof block !== "object" || block === null || Array.isArray(block)) return [];
    const { type, text } = block;
    if (type === "text" && typeof text === "string") return [{ type: "text", text }];
    return typeof type === "string" ? [{ type: "text", text: `[${type}]` }] : [];
  });
}
