import * as z from "zod";

import { JsonSchema } from "../../conversation/json-schema.ts";
import type { Message, ModelRequest, OfferedTool } from "../../conversation/model-request.ts";
import { message, readConversation } from "../../conversation/read-conversation.ts";
import type { Call } from "../wire-format.ts";

const Block = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  id: z.string().optional(),
  name: z.string().optional(),
  input: z.unknown().optional(),
  tool_use_id: z.string().optional(),
  content: z.unknown().optional(),
  is_error: z.boolean().nullish(),
});
type Block = z.infer<typeof Block>;
const Content = z.union([z.string(), z.array(Block)]);

const Body = z.looseObject({
  model: z.string(),
  max_tokens: z.number(),
  messages: z.array(
    z.looseObject({ role: z.enum(["user", "assistant", "system"]), content: Content }),
  ),
  system: Content.optional(),
  stream: z.boolean().nullish(),
  tools: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        description: z.string().optional(),
        input_schema: JsonSchema.optional(),
      }),
    )
    .optional(),
  output_config: z
    .looseObject({ format: z.looseObject({ schema: JsonSchema.optional() }).nullish() })
    .nullish(),
});
type Body = z.infer<typeof Body>;

/** Reads a request to `POST /v1/messages`. */
export function readAnthropicRequest({ body }: Call): ModelRequest {
  const parsed = Body.parse(body);
  const system = blocksOf(parsed.system ?? [])
    .flatMap(textOf)
    .join("\n");
  return {
    ...readConversation(parsed.messages.map(readMessage), system),
    format: "anthropic",
    model: parsed.model,
    stream: parsed.stream === true,
    tools: (parsed.tools ?? []).flatMap(readTool),
    answerSchema: parsed.output_config?.format?.schema,
    maxTokens: parsed.max_tokens,
    body,
  };
}

function readMessage({ role, content }: Body["messages"][number]): Message {
  const blocks = blocksOf(content);
  return message(role, {
    texts: blocks.flatMap(textOf),
    calls: blocks.flatMap(({ type, id = "", name = "", input }) =>
      type === "tool_use" ? [{ id, name, input, result: undefined }] : [],
    ),
    results: blocks.flatMap(({ type, tool_use_id: callId = "", content: result, is_error }) =>
      type === "tool_result"
        ? [{ callId, text: resultText(result), isError: is_error === true }]
        : [],
    ),
    attachments: blocks.filter(({ type }) => type === "image" || type === "document").length,
  });
}

function readTool(tool: NonNullable<Body["tools"]>[number]): OfferedTool[] {
  const { name, description = "", input_schema: schema = {} } = tool;
  if (name === undefined) return [];
  return [{ name, description, schema, freeForm: false, namespace: undefined }];
}

function blocksOf(content: string | readonly Block[]): readonly Block[] {
  return typeof content === "string"
    ? [{ type: "text", text: content, input: undefined, content: undefined }]
    : content;
}

function textOf({ type, text }: Block): string[] {
  return type === "text" && text !== undefined ? [text] : [];
}

function resultText(content: unknown): string {
  const parsed = Content.safeParse(content);
  return parsed.success ? blocksOf(parsed.data).flatMap(textOf).join("\n") : "";
}
