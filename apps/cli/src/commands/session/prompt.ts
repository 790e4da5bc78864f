import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { turnAnswers, watchTurn } from "../../session/converse.ts";
import { findSession } from "../../session/find-session.ts";
import { createSessionView } from "../../session/session-view.ts";

/** `agentos session prompt SESSION PROMPT`: one turn of an open session, to its end. */
export async function prompt(
  io: Io,
  globals: GlobalOptions,
  id: string,
  content: string,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { pool, json = false } = globals;
  const { sessionId, vmId } = await findSession(globals, id);
  await using os = await AgentOs.attach(vmId, { pool, signal: interrupts.signal });
  const onRequest = turnAnswers(io, json, interrupts);
  const session = await os.sessions.get(sessionId, { onRequest });
  try {
    const turn = session.prompt(content);
    return await watchTurn(session, turn, createSessionView(io, json), interrupts);
  } finally {
    session.detach();
  }
}
