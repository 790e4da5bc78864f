import * as z from "zod";

import { JsonSchema } from "../../conversation/json-schema.ts";
import type { Message, ModelRequest, OfferedTool } from "../../conversation/model-request.ts";
import { message, readConversation } from "../../conversation/read-conversation.ts";
import { parseArguments } from "../parse-arguments.ts";
import type { Call } from "../wire-format.ts";

const Part = z.looseObject({ type: z.string(), text: z.string().optional() });
type Part = z.infer<typeof Part>;

const Body = z.looseObject({
  model: z.string(),
  messages: z.array(
    z.looseObject({
      role: z.enum(["system", "developer", "user", "assistant", "tool"]),
      content: z.union([z.string(), z.array(Part)]).nullish(),
      tool_call_id: z.string().optional(),
      tool_calls: z
        .array(
          z.looseObject({
            id: z.string(),
            function: z.looseObject({ name: z.string(), arguments: z.string() }),
          }),
        )
        .nullish(),
    }),
  ),
  stream: z.boolean().nullish(),
  tools: z
    .array(
      z.looseObject({
        function: z.looseObject({
          name: z.string(),
          description: z.string().nullish(),
          parameters: JsonSchema.nullish(),
        }),
      }),
    )
    .nullish(),
  max_tokens: z.number().nullish(),
  max_completion_tokens: z.number().nullish(),
  response_format: z
    .looseObject({ json_schema: z.looseObject({ schema: JsonSchema.optional() }).nullish() })
    .nullish(),
});
type Body = z.infer<typeof Body>;

/** Reads a request to `POST /v1/chat/completions`. */
export function readChatRequest({ body }: Call): ModelRequest {
  const parsed = Body.parse(body);
  return {
    ...readConversation(parsed.messages.map(readMessage), ""),
    format: "openai-chat",
    model: parsed.model,
    stream: parsed.stream === true,
    tools: (parsed.tools ?? []).map(readTool),
    answerSchema: parsed.response_format?.json_schema?.schema,
    maxTokens: parsed.max_completion_tokens ?? parsed.max_tokens ?? undefined,
    body,
  };
}

function readMessage(each: Body["messages"][number]): Message {
  const parts = partsOf(each.content ?? []);
  const texts = parts.flatMap(({ text }) => (text === undefined ? [] : [text]));
  if (each.role === "tool") {
    const result = { callId: each.tool_call_id ?? "", text: texts.join("\n"), isError: false };
    return message("tool", { results: [result] });
  }
  const calls = (each.tool_calls ?? []).map(({ id, function: { name, arguments: input } }) => ({
    id,
    name,
    input: parseArguments(input),
    result: undefined,
  }));
  const attachments = parts.filter(({ type }) => type !== "text").length;
  return message(each.role === "developer" ? "system" : each.role, { texts, calls, attachments });
}

function readTool({ function: tool }: NonNullable<Body["tools"]>[number]): OfferedTool {
  return {
    name: tool.name,
    description: tool.description ?? "",
    schema: tool.parameters ?? {},
    freeForm: false,
    namespace: undefined,
  };
}

function partsOf(content: string | readonly Part[]): readonly Part[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}
