import * as z from "zod";

import { JsonSchema } from "../../conversation/json-schema.ts";
import type { Message, ModelRequest, OfferedTool } from "../../conversation/model-request.ts";
import { message, readConversation } from "../../conversation/read-conversation.ts";
import { parseArguments } from "../parse-arguments.ts";
import type { Call } from "../wire-format.ts";

const Part = z.looseObject({ type: z.string(), text: z.string().optional() });
type Part = z.infer<typeof Part>;
const Content = z.union([z.string(), z.array(Part)]);

const Item = z.looseObject({
  type: z.string().optional(),
  role: z.string().optional(),
  content: Content.nullish(),
  call_id: z.string().nullish(),
  name: z.string().optional(),
  arguments: z.unknown().optional(),
  input: z.unknown().optional(),
  action: z.unknown().optional(),
  output: z.unknown().optional(),
});
type Item = z.infer<typeof Item>;

interface Tool {
  readonly type: string;
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly parameters?: JsonSchema | null | undefined;
  readonly tools?: readonly Tool[] | undefined;
}
const Tool: z.ZodType<Tool> = z.lazy(() =>
  z.looseObject({
    type: z.string(),
    name: z.string().optional(),
    description: z.string().nullish(),
    parameters: JsonSchema.nullish(),
    tools: z.array(Tool).optional(),
  }),
);

const Body = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(Item)]),
  instructions: z.string().nullish(),
  stream: z.boolean().nullish(),
  tools: z.array(Tool).nullish(),
  max_output_tokens: z.number().nullish(),
  text: z
    .looseObject({ format: z.looseObject({ schema: JsonSchema.optional() }).nullish() })
    .nullish(),
});

/** Reads a request to `POST /v1/responses`. */
export function readResponsesRequest({ body }: Call): ModelRequest {
  const parsed = Body.parse(body);
  const messages =
    typeof parsed.input === "string"
      ? [message("user", { texts: [parsed.input] })]
      : joinSpeech(parsed.input.map(readItem));
  return {
    ...readConversation(messages, parsed.instructions ?? ""),
    format: "openai-responses",
    model: parsed.model,
    stream: parsed.stream === true,
    tools: (parsed.tools ?? []).flatMap((tool) => readTool(tool, undefined)),
    answerSchema: parsed.text?.format?.schema,
    maxTokens: parsed.max_output_tokens ?? undefined,
    body,
  };
}

function readItem(item: Item): Message {
  const { type = "message", role = "user", call_id: id = "", name = type } = item;
  const callId = id ?? "";
  if (type.endsWith("_output")) {
    return message("tool", {
      results: [{ callId, text: outputText(item.output), isError: false }],
    });
  }
  if (type.endsWith("_call")) {
    const { arguments: json } = item;
    const input = typeof json === "string" ? parseArguments(json) : (item.input ?? item.action);
    return message("assistant", { calls: [{ id: callId, name, input, result: undefined }] });
  }
  const parts = partsOf(item.content ?? []);
  return message(type === "message" ? roleOf(role) : "assistant", {
    texts: parts.flatMap(({ text }) => (text === undefined ? [] : [text])),
    attachments: parts.filter((part) => /_(?:image|file)$/.test(part.type)).length,
  });
}

/** What the model said in one answer comes as several items here, and as one message elsewhere. */
function joinSpeech(messages: readonly Message[]): Message[] {
  const joined: Message[] = [];
  for (const next of messages) {
    const last = joined.at(-1);
    if (last?.role === "assistant" && next.role === "assistant") {
      const texts = [...last.texts, ...next.texts];
      joined[joined.length - 1] = { ...last, texts, calls: [...last.calls, ...next.calls] };
    } else joined.push(next);
  }
  return joined;
}

function roleOf(role: string): Message["role"] {
  if (role === "assistant") return "assistant";
  return role === "system" || role === "developer" ? "system" : "user";
}

function readTool(tool: Tool, namespace: string | undefined): OfferedTool[] {
  if (tool.tools !== undefined) return tool.tools.flatMap((each) => readTool(each, tool.name));
  const name = tool.name ?? (tool.type === "local_shell" ? tool.type : undefined);
  if (name === undefined) return [];
  const { description, parameters } = tool;
  const freeForm = tool.type === "custom";
  return [{ name, description: description ?? "", schema: parameters ?? {}, freeForm, namespace }];
}

function partsOf(content: string | readonly Part[]): readonly Part[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

function outputText(output: unknown): string {
  const parsed = Content.safeParse(output);
  if (!parsed.success) return "";
  return partsOf(parsed.data)
    .flatMap(({ text }) => text ?? [])
    .join("\n");
}
