import { isAgentOsError } from "@agentos/protocol";

import type { Session } from "./session.ts";
import type { RequestHandler } from "./session-options.ts";

/** Answers what a session asks, until it ends: first what is open already, then each new request. One that the handler throws at is denied or skipped. */
export async function answerRequests(
  session: Pick<Session, "info" | "events" | "respond">,
  handler: RequestHandler,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { pending, lastSeq } = await session.info();
    for (const request of pending) void answer(session, handler, request);
    for await (const event of session.events({ after: lastSeq, signal })) {
      if (event.type === "request") void answer(session, handler, event.request);
    }
  } catch {
    // The session or its VM is over: nobody asks any more, and its own calls say why.
  }
}

async function answer(
  session: Pick<Session, "respond">,
  handler: RequestHandler,
  request: Parameters<RequestHandler>[0],
): Promise<void> {
  const said = await decide(handler, request);
  if (said === undefined) return;
  try {
    await session.respond(request.requestId, said);
  } catch (error) {
    // Somebody else was faster, or the turn is over.
    if (!isAgentOsError(error)) throw error;
  }
}

async function decide(
  handler: RequestHandler,
  request: Parameters<RequestHandler>[0],
): Promise<Awaited<ReturnType<RequestHandler>>> {
  try {
    return await handler(request);
  } catch {
    return refusal(request);
  }
}

function refusal(request: Parameters<RequestHandler>[0]): Awaited<ReturnType<RequestHandler>> {
  if (request.kind === "permission") {
    return { kind: "permission", decision: "deny", message: "the request's handler failed" };
  }
  return { kind: "question", responses: request.questions.map(() => ({ skipped: true })) };
}
