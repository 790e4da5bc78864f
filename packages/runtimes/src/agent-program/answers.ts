import type { RuntimeHost } from "@agentos/core";
import type { Question, RequestAnswer, SessionSpec } from "@agentos/protocol";

/** Of one call of an agent: as many as a request of ours has. */
const MAX_QUESTIONS = 16;

type Responses = Extract<RequestAnswer, { kind: "question" }>["responses"];

/** Whether there may be somebody to answer. */
export function isAsked({ asks, hooks = [] }: SessionSpec): boolean {
  return asks === "wait" || hooks.some(({ point }) => point === "interaction");
}

/** What a person chose and wrote, for each question; empty where it was skipped. Undefined: nobody answers. */
export async function answersOf(
  host: RuntimeHost,
  questions: readonly Question[],
  signal: AbortSignal,
): Promise<string[][] | undefined> {
  if (questions.length === 0 || questions.length > MAX_QUESTIONS) return undefined;
  // Rejected: the turn was cancelled.
  const answer = await host.ask(questions, signal).catch(() => undefined);
  if (answer?.kind !== "question") return undefined;
  return questions.map((_, index) => saidOf(answer.responses[index]));
}

function saidOf(response: Responses[number] | undefined): string[] {
  const { selectedOptionIds = [], freeform, skipped = false } = response ?? {};
  if (skipped) return [];
  return [...selectedOptionIds, ...(freeform === undefined ? [] : [freeform])];
}

/** A choice of an agent's own: its label is its id. */
export function choice({
  label,
  description,
}: {
  label: string;
  description?: string | undefined;
}) {
  const more = description === undefined || description === "" ? "" : `: ${description}`;
  return { id: label, text: `${label}${more}` };
}
