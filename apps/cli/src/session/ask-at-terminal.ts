import { createInterface } from "node:readline/promises";

import type { PendingRequest, RequestAnswer } from "@agentos/client";

import type { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { readable } from "../output/readable.ts";
import { write } from "../output/write.ts";
import { describeCall } from "./describe-call.ts";

/**
 * Asks the person at the terminal. One question after the other; an unreadable answer is asked again. Ctrl-C is the
 * command's, and leaves the request open; Ctrl-D answers no.
 */
export async function askAtTerminal(
  io: Io,
  request: PendingRequest,
  interrupts: Interrupts,
): Promise<RequestAnswer | undefined> {
  const reader = createInterface({ input: io.stdin, output: io.stderr });
  const gone = new AbortController();
  // While it reads the terminal gives Ctrl-C as a key.
  reader.once("SIGINT", () => {
    interrupts.interrupt();
    gone.abort();
  });
  reader.once("close", () => gone.abort());
  const ask: Ask = async (question) => {
    const signal = AbortSignal.any([interrupts.signal, gone.signal]);
    return (await reader.question(question, { signal })).trim();
  };
  try {
    if (request.kind === "permission") return await askPermission(io, request, ask);
    return await askQuestions(io, request.questions, ask);
  } catch (error) {
    if (!gone.signal.aborted) throw error;
    return interrupts.exitCode === undefined ? noAnswer(request) : undefined;
  } finally {
    reader.close();
  }
}

type Permission = Extract<PendingRequest, { kind: "permission" }>;
type Questions = Extract<PendingRequest, { kind: "question" }>["questions"];
/** What the person writes; rejects where it leaves. */
type Ask = (question: string) => Promise<string>;

async function askPermission(
  io: Io,
  { call, reason }: Permission,
  ask: Ask,
): Promise<RequestAnswer> {
  const why = reason === undefined ? "" : ` (${readable(reason)})`;
  const input = readable(JSON.stringify(call.input, undefined, 2));
  // In one piece: the turn is shown at the same time.
  await write(io.stderr, `\nMay it? ${readable(describeCall(call).title)}${why}\n${input}\n`);
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- Until it can be read.
    const said = await ask("y yes, a always, n no > ");
    if (said === "y") return { kind: "permission", decision: "allow" };
    if (said === "a") return { kind: "permission", decision: "allow", remember: "session" };
    if (said === "n") return { kind: "permission", decision: "deny" };
  }
}

async function askQuestions(io: Io, questions: Questions, ask: Ask): Promise<RequestAnswer> {
  const responses = [];
  for (const { question, options } of questions) {
    const choices = options.map(({ id, text }) => `  ${id}) ${readable(text)}\n`);
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    await write(io.stderr, `\n${readable(question)}\n${choices.join("")}`);
    // oxlint-disable-next-line no-await-in-loop -- As above.
    const said = await ask("> ");
    const chosen = options.find(({ id }) => id === said);
    if (chosen !== undefined) responses.push({ selectedOptionIds: [chosen.id] });
    else responses.push(said === "" ? { skipped: true } : { freeform: said });
  }
  return { kind: "question", responses };
}

function noAnswer(request: PendingRequest): RequestAnswer {
  if (request.kind === "permission") return { kind: "permission", decision: "deny" };
  return { kind: "question", responses: request.questions.map(() => ({ skipped: true })) };
}
