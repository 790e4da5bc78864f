import { AgentOs, type SessionOptions } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { terminalAnswers, watchTurn } from "../../session/converse.ts";
import { findSession } from "../../session/find-session.ts";
import { createSessionView } from "../../session/session-view.ts";

/** `agentos session cancel SESSION`: ends the running turn. */
export async function cancel(io: Io, globals: GlobalOptions, id: string): Promise<number> {
  const { sessionId, vmId } = await findSession(globals, id);
  await using os = await AgentOs.attach(vmId, { pool: globals.pool });
  const session = await os.sessions.get(sessionId);
  const cancelled = await session.cancel();
  session.detach();
  if (globals.json === true) await writeJson(io.stdout, cancelled);
  else await write(io.stdout, `${cancelled.turnId ?? "no turn was running"}\n`);
  return EXIT_CODE.ok;
}

/** `agentos session delete SESSION`: ends and forgets it. */
export async function remove(io: Io, globals: GlobalOptions, id: string): Promise<number> {
  const { sessionId } = await findSession(globals, id);
  await AgentOs.deleteSession(sessionId, { pool: globals.pool });
  if (globals.json === true) await writeJson(io.stdout, { deleted: sessionId });
  else await write(io.stdout, `${sessionId}\n`);
  return EXIT_CODE.ok;
}

/** `agentos session resume SESSION [PROMPT]`: opens a closed session again, in its VM. */
export async function resume(
  io: Io,
  globals: GlobalOptions,
  id: string,
  prompt: string | undefined,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { pool, json = false } = globals;
  const { sessionId, vmId, runtime } = await findSession(globals, id);
  await using os = await AgentOs.attach(vmId, { pool, signal: interrupts.signal });
  const onRequest = terminalAnswers(io, json, interrupts.signal);
  const options: SessionOptions = {
    runtime,
    resume: sessionId,
    ...(onRequest === undefined ? {} : { onRequest }),
  };
  const session = await os.createSession(options);
  if (json) await writeJson(io.stdout, { event: "session", sessionId, vmId });
  else await write(io.stderr, `session ${sessionId} goes on\n`);
  if (prompt === undefined) return EXIT_CODE.ok;
  return await watchTurn(session, session.prompt(prompt), createSessionView(io, json), interrupts);
}
