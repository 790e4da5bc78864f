import type { RuntimeHost } from "@agentos/core";
import { type Json, JsonObject } from "@agentos/protocol";
import * as z from "zod";

import { answersOf, choice } from "../agent-program/answers.ts";
import { elicited, McpForm } from "../agent-program/mcp-elicitation.ts";

/** Its tool that asks the user. */
export const QUESTION_TOOL = "AskUserQuestion";

const QuestionInput = z.object({
  questions: z.array(
    z.object({
      question: z.string(),
      multiSelect: z.boolean().optional(),
      options: z.array(z.object({ label: z.string(), description: z.string().optional() })),
    }),
  ),
});

const Elicitation = z.object({
  message: z.string(),
  mode: z.string().optional(),
  requested_schema: z.unknown().optional(),
});

/** The tool's input with the answers, as Claude Code takes them. Undefined: nobody answers, or it is no input of the tool. */
export async function answeredInput(
  host: RuntimeHost,
  input: Json,
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  const { data } = QuestionInput.safeParse(input);
  if (data === undefined) return undefined;
  const questions = data.questions.map(({ question, options, multiSelect = false }) => ({
    question,
    options: options.map(choice),
    multiSelect,
  }));
  const said = await answersOf(host, questions, signal);
  if (said === undefined) return undefined;
  const answers = questions.flatMap(({ question }, index) => {
    const words = said[index] ?? [];
    return words.length === 0 ? [] : [[question, words.join(", ")] as const];
  });
  return { ...JsonObject.parse(input), answers: Object.fromEntries(answers) };
}

/** The answer to `elicitation`: an MCP server of the VM's asks. */
export async function answerElicitation(
  host: RuntimeHost,
  request: JsonObject,
  signal: AbortSignal,
): Promise<JsonObject> {
  const { message, mode = "form", requested_schema: schema = {} } = Elicitation.parse(request);
  const { data: form } = McpForm.safeParse({ message, schema });
  // An address to open is for a person at that machine.
  if (mode !== "form" || form === undefined) return { action: "decline" };
  return await elicited(host, form, signal);
}
