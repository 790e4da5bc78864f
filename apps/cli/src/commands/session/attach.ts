import { AgentOs, isAgentOsError, type SessionEvent } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { terminalAnswers } from "../../session/converse.ts";
import { findSession } from "../../session/find-session.ts";
import { createSessionView, type SessionView } from "../../session/session-view.ts";

export interface AttachOptions {
  /** From the transcript's beginning. */
  readonly all?: boolean;
}

/** `agentos session attach SESSION`: watches, and answers what is asked, until the session ends or Ctrl-C. */
export async function attach(
  io: Io,
  globals: GlobalOptions,
  id: string,
  options: AttachOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { pool, json = false } = globals;
  const { signal } = interrupts;
  try {
    const { sessionId, vmId } = await findSession(globals, id);
    await using os = await AgentOs.attach(vmId, { pool, signal });
    const onRequest = terminalAnswers(io, json, interrupts);
    const session = await os.sessions.get(sessionId, onRequest === undefined ? {} : { onRequest });
    const view = createSessionView(io, json, { prompts: true });
    const { lastSeq } = await session.info();
    const after = options.all === true ? 0 : lastSeq;
    await showAll(session.events({ after, signal }), view);
    return EXIT_CODE.ok;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

/** Until the session ends. Deleted while it is watched, it has ended. */
async function showAll(events: AsyncIterable<SessionEvent>, view: SessionView): Promise<void> {
  try {
    for await (const event of events) await view.show(event);
  } catch (error) {
    if (!isAgentOsError(error, "NOT_FOUND")) throw error;
  }
}
