import type { PendingRequest, Question, RequestAnswer, RequestOutcome } from "@agentos/protocol";

import { invalidArgument } from "./session-errors.ts";

/** How a request ends with this answer. */
export function answerOutcome(answer: RequestAnswer): RequestOutcome {
  if (answer.kind === "permission") return answer.decision === "allow" ? "allowed" : "denied";
  return answer.responses.every(({ skipped }) => skipped === true) ? "unanswered" : "answered";
}

/** Throws `INVALID_ARGUMENT` for an answer to something else. */
export function assertAnswers(request: PendingRequest, answer: RequestAnswer): void {
  if (answer.kind !== request.kind)
    throw invalidArgument("answer.kind", `an answer to a ${request.kind}`, answer.kind);
  if (request.kind !== "question" || answer.kind !== "question") return;
  const { questions } = request;
  const { responses } = answer;
  if (responses.length !== questions.length)
    throw invalidArgument("answer.responses", `${questions.length}`, `${responses.length}`);
  questions.forEach((question, index) => {
    assertSelected(question, responses[index]?.selectedOptionIds ?? []);
  });
}

function assertSelected({ options, multiSelect }: Question, selected: readonly string[]): void {
  const argument = "answer.responses.selectedOptionIds";
  if (!multiSelect && selected.length > 1)
    throw invalidArgument(argument, "one option", selected.join());
  const known = options.map(({ id }) => id);
  const unknown = selected.find((id) => !known.includes(id));
  if (unknown !== undefined)
    throw invalidArgument(argument, `options of ${known.join(", ")}`, unknown);
}
