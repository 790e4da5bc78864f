import type { RuntimeHost } from "@agentos/core";
import type { Json, JsonObject } from "@agentos/protocol";
import * as z from "zod";

import { answersOf, choice } from "../agent-program/answers.ts";
import { elicited, McpForm } from "../agent-program/mcp-elicitation.ts";

const QuestionParams = z.object({
  questions: z.array(
    z.object({
      id: z.string(),
      question: z.string(),
      isSecret: z.boolean().optional().catch(undefined),
      options: z
        .array(z.object({ label: z.string(), description: z.string().optional() }))
        .nullish(),
    }),
  ),
});

const ElicitationParams = z.object({
  message: z.string(),
  mode: z.string().optional().catch(undefined),
  requestedSchema: z.unknown().optional(),
  _meta: z.object({ codex_approval_kind: z.string().optional() }).nullish().catch(undefined),
});

/** The answer to `item/tool/requestUserInput`: none for what nobody answers. */
export async function answerQuestions(
  host: RuntimeHost,
  params: Json,
  signal: AbortSignal,
): Promise<JsonObject> {
  const { questions } = QuestionParams.parse(params);
  // A question and its answer are written down: a secret is nothing for that.
  if (questions.some(({ isSecret }) => isSecret === true)) return { answers: {} };
  const asked = questions.map(({ question, options }) => ({
    question,
    options: (options ?? []).map(choice),
    multiSelect: false,
  }));
  const said = (await answersOf(host, asked, signal)) ?? [];
  const answers = questions.flatMap(({ id }, index) => {
    const words = said[index] ?? [];
    return words.length === 0 ? [] : [[id, { answers: words }] as const];
  });
  return { answers: Object.fromEntries(answers) };
}

/** The answer to `mcpServer/elicitation/request`. */
export async function answerElicitation(
  host: RuntimeHost,
  params: Json,
  signal: AbortSignal,
): Promise<JsonObject> {
  const {
    message,
    mode = "form",
    requestedSchema: schema = {},
    _meta,
  } = ElicitationParams.parse(params);
  // Whether a tool may run, the hook has decided.
  if (_meta?.codex_approval_kind === "mcp_tool_call") return { action: "accept", content: {} };
  const { data: form } = McpForm.safeParse({ message, schema });
  if (mode !== "form" || form === undefined) return { action: "decline", content: null };
  const { action = "cancel", content = null } = await elicited(host, form, signal);
  return { action, content };
}
