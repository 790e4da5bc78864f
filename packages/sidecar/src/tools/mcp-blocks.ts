import type { ContentPart } from "@agentos/protocol";

/** A tool's content in MCP's words. */
export function mcpBlock(part: ContentPart): object {
  if (part.type === "text") return { type: "text", text: part.text };
  const { data, path, mediaType } = part;
  if (data === undefined) return { type: "text", text: `[${mediaType} at ${path ?? "no path"}]` };
  if (part.type === "image") return { type: "image", data, mimeType: mediaType };
  const uri = `agentos:${encodeURIComponent(part.name ?? "file")}`;
  return { type: "resource", resource: { uri, mimeType: mediaType, blob: data } };
}

/** The same as text, for a terminal. */
export function plainText(part: ContentPart): string {
  if (part.type === "text") return part.text;
  return `[${part.mediaType}${part.path === undefined ? "" : ` at ${part.path}`}]`;
}
