import type { Question, RequestAnswer } from "@agentos/protocol";
import * as z from "zod";

import type { ToolTurn } from "../../tool-desk.ts";
import { builtinTool } from "../builtin-tool.ts";
import type { Tool } from "../tool.ts";

type Ask = (questions: readonly Question[], turn: ToolTurn) => Promise<RequestAnswer | undefined>;

/** ask_question: the user says something to the agent. */
export function askQuestion(ask: Ask): Tool {
  return builtinTool({
    name: "ask_question",
    description: "Ask the user one or more questions, each with options to choose from or none.",
    input: z.object({
      questions: z
        .array(
          z.object({
            question: z.string().min(1),
            options: z.array(z.string().min(1)).max(16).optional(),
            multi_select: z.boolean().optional(),
          }),
        )
        .min(1)
        .max(16),
    }),
    run: async ({ questions }, turn) => {
      const asked = questions.map((question) => ({
        question: question.question,
        options: (question.options ?? []).map((text, index) => ({ id: String(index + 1), text })),
        multiSelect: question.multi_select ?? false,
      }));
      const answer = await ask(asked, turn);
      if (answer?.kind !== "question") return "unanswered: nobody was there to be asked";
      return asked.map((question, index) => describe(question, answer.responses[index])).join("\n");
    },
  });
}

type Response = Extract<RequestAnswer, { kind: "question" }>["responses"][number];

function describe({ question, options }: Question, response: Response | undefined): string {
  const chosen = options
    .filter(({ id }) => response?.selectedOptionIds?.includes(id) === true)
    .map(({ text }) => text);
  const said = [...chosen, ...(response?.freeform === undefined ? [] : [response.freeform])];
  return `${question} ${said.length === 0 ? "(skipped)" : said.join("; ")}`;
}
