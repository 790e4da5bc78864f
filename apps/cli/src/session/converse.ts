import type { RequestHandler, Session, Turn } from "@agentos/client";
import { isAgentOsError } from "@agentos/client";

import { EXIT_CODE } from "../exit-code.ts";
import type { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { askAtTerminal } from "./ask-at-terminal.ts";
import type { SessionView } from "./session-view.ts";

/** Answers requests at the keyboard, one after another; undefined where no person is there. */
export function terminalAnswers(
  io: Io,
  json: boolean,
  interrupts: Interrupts,
): RequestHandler | undefined {
  if (json || io.stdin.isTTY !== true || io.stderr.isTTY !== true) return undefined;
  let last: Promise<unknown> = Promise.resolve();
  return async (request) => {
    const answer = last.then(() => askAtTerminal(io, request, interrupts));
    last = answer.catch(() => undefined);
    return await answer;
  };
}

/** Answers as `terminalAnswers` does; where no person is there, nothing is allowed and no question answered. */
export function turnAnswers(io: Io, json: boolean, interrupts: Interrupts): RequestHandler {
  return (
    terminalAnswers(io, json, interrupts) ??
    ((request) =>
      request.kind === "permission"
        ? { kind: "permission", decision: "deny", message: "no person is at a terminal to ask" }
        : { kind: "question", responses: request.questions.map(() => ({ skipped: true })) })
  );
}

/** Shows a turn to its end. Ctrl-C cancels it; a second one leaves it running. The exit code says how it ended. */
export async function watchTurn(
  session: Session,
  turn: Turn,
  view: SessionView,
  interrupts: Interrupts,
): Promise<number> {
  const leave = new AbortController();
  interrupts.deliverTo({
    forward: () => void session.cancel().catch(() => leave.abort()),
    kill: () => leave.abort(),
  });
  const left = new Promise<"left">((resolve) =>
    leave.signal.addEventListener("abort", () => resolve("left"), { once: true }),
  );
  const outcome = await Promise.race([show(turn, view), left]);
  if (outcome === "left") return interrupts.exitCode ?? EXIT_CODE.interrupted;
  return interrupts.exitCode ?? outcome;
}

async function show(turn: Turn, view: SessionView): Promise<number> {
  for await (const event of turn) await view.show(event);
  try {
    const { stopReason } = await turn;
    return stopReason === "end_turn" ? EXIT_CODE.ok : EXIT_CODE.turnStopped;
  } catch (error) {
    if (isAgentOsError(error, "CANCELLED")) return EXIT_CODE.interrupted;
    // The rest was shown as the turn's end.
    if (isAgentOsError(error, "BUDGET_EXHAUSTED")) return EXIT_CODE.turnStopped;
    return EXIT_CODE.failed;
  }
}
