import { createInterface } from "node:readline/promises";

import type { PendingRequest, RequestAnswer } from "@agentos/client";

import type { Io } from "../io.ts";
import { readable } from "../output/readable.ts";
import { write } from "../output/write.ts";
import { describeCall } from "./describe-call.ts";

/** Asks the person at the terminal. One question after the other; an unreadable answer is asked again. */
export async function askAtTerminal(
  io: Io,
  request: PendingRequest,
  signal: AbortSignal,
): Promise<RequestAnswer> {
  const reader = createInterface({ input: io.stdin, output: io.stderr });
  try {
    if (request.kind === "permission") return await askPermission(io, request, reader, signal);
    const responses = [];
    for (const { question, options } of request.questions) {
      await write(io.stderr, `\n${readable(question)}\n`);
      for (const { id, text } of options) await write(io.stderr, `  ${id}) ${readable(text)}\n`);
      const said = (await reader.question("> ", { signal })).trim();
      const chosen = options.find(({ id }) => id === said);
      if (chosen !== undefined) responses.push({ selectedOptionIds: [chosen.id] });
      else responses.push(said === "" ? { skipped: true } : { freeform: said });
    }
    return { kind: "question", responses };
  } finally {
    reader.close();
  }
}

type Permission = Extract<PendingRequest, { kind: "permission" }>;
type Reader = ReturnType<typeof createInterface>;

async function askPermission(
  io: Io,
  { call, reason }: Permission,
  reader: Reader,
  signal: AbortSignal,
): Promise<RequestAnswer> {
  const why = reason === undefined ? "" : ` (${readable(reason)})`;
  await write(io.stderr, `\nMay it? ${readable(describeCall(call).title)}${why}\n`);
  await write(io.stderr, `${readable(JSON.stringify(call.input, undefined, 2))}\n`);
  for (;;) {
    const said = (await reader.question("y yes, a always, n no > ", { signal })).trim();
    if (said === "y") return { kind: "permission", decision: "allow" };
    if (said === "a") return { kind: "permission", decision: "allow", remember: "session" };
    if (said === "n") return { kind: "permission", decision: "deny" };
  }
}
