import { type ContentPart, Json } from "@agentos/protocol";
import { ContentPart as ContentPartSchema } from "@agentos/protocol";
import * as z from "zod";

const Block = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("image"), data: z.string(), mimeType: z.string() }),
  z.object({ type: z.literal("audio"), data: z.string(), mimeType: z.string() }),
  z.object({ type: z.literal("resource_link"), uri: z.string(), name: z.string().optional() }),
  z.object({
    type: z.literal("resource"),
    resource: z.object({
      uri: z.string(),
      mimeType: z.string().optional(),
      text: z.string().optional(),
      blob: z.string().optional(),
    }),
  }),
]);
type Block = z.infer<typeof Block>;

/** What a server's tool may answer; unknown kinds of content are said to be left out. */
const Answer = z.object({
  content: z.array(z.unknown()).default([]),
  structuredContent: Json.optional(),
  isError: z.boolean().optional(),
});

/** A server's answer as a tool's output. */
export function mcpContent(answer: unknown): { content: ContentPart[]; isError: boolean } {
  const { content, structuredContent, isError = false } = Answer.parse(answer);
  const parts = content.map(contentPart);
  if (parts.length > 0 || structuredContent === undefined) return { content: parts, isError };
  return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], isError };
}

function contentPart(value: unknown): ContentPart {
  const { data: block } = Block.safeParse(value);
  if (block === undefined) return note("content of a kind that is not known");
  if (block.type === "text") return block;
  if (block.type === "image") return media("image", block.mimeType, block.data);
  if (block.type === "audio") return media("file", block.mimeType, block.data);
  if (block.type === "resource_link")
    return { type: "text", text: `${block.name ?? ""} ${block.uri}` };
  return resourcePart(block);
}

function resourcePart({ resource }: Extract<Block, { type: "resource" }>): ContentPart {
  const { uri, text, blob, mimeType = "application/octet-stream" } = resource;
  if (text !== undefined) return { type: "text", text: `${uri}:\n${text}` };
  return blob === undefined ? note(uri) : media("file", mimeType, blob);
}

/** Bytes that say what they are; else their absence is told. */
function media(type: "image" | "file", mediaType: string, data: string): ContentPart {
  const { data: part } = ContentPartSchema.safeParse({ type, mediaType, data });
  return part ?? note(`${mediaType} that is not base64`);
}

function note(what: string): ContentPart {
  return { type: "text", text: `[left out: ${what}]` };
}
