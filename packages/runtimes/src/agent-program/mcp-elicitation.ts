import type { RuntimeHost } from "@agentos/core";
import type { Json, JsonObject, Question } from "@agentos/protocol";
import * as z from "zod";

import { answersOf } from "./answers.ts";

const Choice = z.object({ const: z.string(), title: z.string().optional() });

/** A field of the form that an MCP server asks with. */
const Field = z.object({
  type: z.string().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  enum: z.array(z.string()).optional(),
  oneOf: z.array(Choice).optional(),
  items: z
    .object({ enum: z.array(z.string()).optional(), anyOf: z.array(Choice).optional() })
    .optional(),
});
type Field = z.infer<typeof Field>;

export const McpForm = z.object({
  message: z.string(),
  schema: z.object({
    properties: z.record(z.string(), Field).optional(),
    required: z.array(z.string()).optional(),
  }),
});
export type McpForm = z.infer<typeof McpForm>;

/** What a person says to a form of an MCP server, as MCP has it. Nobody, or nothing for a field that must be there: declined. */
export async function elicited(
  host: RuntimeHost,
  { message, schema }: McpForm,
  signal: AbortSignal,
): Promise<JsonObject> {
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0) return await confirmed(host, message, signal);
  const questions = fields.map(([name, field], index) =>
    questionOf(index === 0 ? `${message} ` : "", name, field),
  );
  const answers = await answersOf(host, questions, signal);
  if (answers === undefined) return { action: "cancel" };
  const content: JsonObject = {};
  for (const [index, [name, field]] of fields.entries()) {
    const value = valueOf(field, answers[index] ?? []);
    if (value !== undefined) content[name] = value;
    else if (schema.required?.includes(name) === true) return { action: "decline" };
  }
  return { action: "accept", content };
}

async function confirmed(
  host: RuntimeHost,
  question: string,
  signal: AbortSignal,
): Promise<JsonObject> {
  const answers = await answersOf(host, [{ question, ...YES_OR_NO }], signal);
  if (answers === undefined) return { action: "cancel" };
  return answers[0]?.[0] === "true" ? { action: "accept", content: {} } : { action: "decline" };
}

const YES_OR_NO = {
  options: [
    { id: "true", text: "Yes" },
    { id: "false", text: "No" },
  ],
  multiSelect: false,
};

function questionOf(before: string, name: string, field: Field): Question {
  const { title, description, type } = field;
  const question = `${before}${title ?? name}${description === undefined ? "" : ` (${description})`}`;
  if (type === "boolean") return { question, ...YES_OR_NO };
  return { question, options: optionsOf(field), multiSelect: type === "array" };
}

function optionsOf({ enum: names, oneOf, items }: Field): Question["options"] {
  const plain = names ?? items?.enum ?? [];
  const titled = oneOf ?? items?.anyOf ?? [];
  return [
    ...plain.map((id) => ({ id, text: id })),
    ...titled.map(({ const: id, title }) => ({ id, text: title ?? id })),
  ];
}

/** Undefined: it is none of the field's. */
function valueOf({ type }: Field, said: readonly string[]): Json | undefined {
  if (type === "array") return [...said];
  const [first] = said;
  if (first === undefined) return undefined;
  if (type === "boolean") return first === "true";
  if (type !== "number" && type !== "integer") return first;
  const value = Number(first);
  const isFit = type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
  return isFit && first.trim() !== "" ? value : undefined;
}
