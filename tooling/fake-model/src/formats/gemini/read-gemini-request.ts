import * as z from "zod";

import { JsonSchema } from "../../conversation/json-schema.ts";
import type { Message, ModelRequest, OfferedTool } from "../../conversation/model-request.ts";
import { message, readConversation } from "../../conversation/read-conversation.ts";
import type { Call } from "../wire-format.ts";

const Part = z.looseObject({
  text: z.string().optional(),
  thought: z.boolean().optional(),
  functionCall: z
    .looseObject({ id: z.string().optional(), name: z.string(), args: z.unknown().optional() })
    .optional(),
  functionResponse: z
    .looseObject({ id: z.string().optional(), name: z.string(), response: z.unknown().optional() })
    .optional(),
  inlineData: z.unknown().optional(),
  fileData: z.unknown().optional(),
});
type Part = z.infer<typeof Part>;

const Content = z.looseObject({ role: z.string().optional(), parts: z.array(Part) });
type Content = z.infer<typeof Content>;

const Body = z.looseObject({
  contents: z.array(Content),
  systemInstruction: Content.optional(),
  tools: z
    .array(
      z.looseObject({
        functionDeclarations: z
          .array(
            z.looseObject({
              name: z.string(),
              description: z.string().optional(),
              parameters: JsonSchema.nullish(),
              parametersJsonSchema: JsonSchema.nullish(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
  generationConfig: z
    .looseObject({
      maxOutputTokens: z.number().optional(),
      responseSchema: JsonSchema.optional(),
      responseJsonSchema: JsonSchema.optional(),
    })
    .optional(),
});
type Body = z.infer<typeof Body>;

/** Reads a request to `POST /v1beta/models/MODEL:generateContent` or `:streamGenerateContent`. */
export function readGeminiRequest({ path, body }: Call): ModelRequest {
  const parsed = Body.parse(body);
  const [, model = "", method = ""] = /\/models\/([^/:]+):(\w+)$/.exec(path) ?? [];
  const { generationConfig: config = {} } = parsed;
  return {
    ...readConversation(
      readContents(parsed.contents),
      textsOf(parsed.systemInstruction).join("\n"),
    ),
    format: "gemini",
    model: decodeURIComponent(model),
    stream: method === "streamGenerateContent",
    tools: (parsed.tools ?? []).flatMap(readTools),
    answerSchema: config.responseJsonSchema ?? config.responseSchema,
    maxTokens: config.maxOutputTokens,
    body,
  };
}

/** Calls and results may have no ids; then they belong together by name and order. */
function readContents(contents: readonly Content[]): Message[] {
  const calls = new Map<string, number>();
  const results = new Map<string, number>();
  return contents.map((content) => {
    const role = content.role === "model" ? "assistant" : "user";
    return message(role, {
      texts: textsOf(content),
      calls: content.parts.flatMap(({ functionCall: call }) =>
        call === undefined
          ? []
          : [
              {
                ...call,
                id: call.id ?? nth(calls, call.name),
                input: call.args,
                result: undefined,
              },
            ],
      ),
      results: content.parts.flatMap(({ functionResponse: each }) =>
        each === undefined
          ? []
          : [{ callId: each.id ?? nth(results, each.name), ...readResponse(each.response) }],
      ),
      attachments: content.parts.filter(isAttachment).length,
    });
  });
}

function nth(counts: Map<string, number>, name: string): string {
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  return `${name}#${count}`;
}

const Response = z.looseObject({
  content: z.unknown().optional(),
  output: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
});

/** A response is any object; its text is in one of these fields by custom. */
function readResponse(response: unknown): { text: string; isError: boolean } {
  const parsed = Response.safeParse(response);
  const { error, content, output, result } = parsed.success ? parsed.data : {};
  const value = error ?? content ?? output ?? result ?? response;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return { text, isError: error !== undefined };
}

function textsOf(content: Content | undefined): string[] {
  const said = content?.parts.filter(({ thought }) => thought !== true) ?? [];
  return said.flatMap(({ text }) => (text === undefined ? [] : [text]));
}

function isAttachment({ inlineData, fileData }: Part): boolean {
  return inlineData !== undefined || fileData !== undefined;
}

function readTools({
  functionDeclarations = [],
}: NonNullable<Body["tools"]>[number]): OfferedTool[] {
  return functionDeclarations.map(({ name, description = "", ...declared }) => ({
    name,
    description,
    schema: declared.parametersJsonSchema ?? declared.parameters ?? {},
    freeForm: false,
    namespace: undefined,
  }));
}
