import { AgentOs, type Session } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { findSession } from "../../session/find-session.ts";

/** `agentos session cancel SESSION`: ends the running turn. */
export async function cancel(io: Io, globals: GlobalOptions, id: string): Promise<number> {
  const cancelled = await held(globals, id, (session) => session.cancel());
  if (globals.json === true) await writeJson(io.stdout, cancelled);
  else await write(io.stdout, `${cancelled.turnId ?? "no turn was running"}\n`);
  return EXIT_CODE.ok;
}

/** `agentos session steer SESSION TEXT`: more for the running turn. */
export async function steer(
  io: Io,
  globals: GlobalOptions,
  id: string,
  text: string,
): Promise<number> {
  const steered = await held(globals, id, (session) => session.steer(text));
  if (globals.json === true) await writeJson(io.stdout, steered);
  else await write(io.stdout, `${steered.turnId ?? "no turn was running"}\n`);
  return EXIT_CODE.ok;
}

/** `agentos session model SESSION MODEL`: another model from now on. */
export async function setModel(
  io: Io,
  globals: GlobalOptions,
  id: string,
  model: string,
): Promise<number> {
  await held(globals, id, (session) => session.setModel(model));
  if (globals.json === true) await writeJson(io.stdout, { model });
  else await write(io.stdout, `${model}\n`);
  return EXIT_CODE.ok;
}

/** `agentos session compact SESSION`: the agent sums up its conversation. */
export async function compact(io: Io, globals: GlobalOptions, id: string): Promise<number> {
  const sessionId = await held(globals, id, async (session) => {
    await session.compact();
    return session.id;
  });
  if (globals.json === true) await writeJson(io.stdout, { compacted: sessionId });
  else await write(io.stdout, `${sessionId}\n`);
  return EXIT_CODE.ok;
}

async function held<T>(
  globals: GlobalOptions,
  id: string,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { sessionId, vmId } = await findSession(globals, id);
  await using os = await AgentOs.attach(vmId, { pool: globals.pool });
  const session = await os.sessions.get(sessionId);
  try {
    return await work(session);
  } finally {
    session.detach();
  }
}

/** `agentos session delete SESSION`: ends and forgets it. */
export async function remove(io: Io, globals: GlobalOptions, id: string): Promise<number> {
  const { sessionId } = await findSession(globals, id);
  await AgentOs.deleteSession(sessionId, { pool: globals.pool });
  if (globals.json === true) await writeJson(io.stdout, { deleted: sessionId });
  else await write(io.stdout, `${sessionId}\n`);
  return EXIT_CODE.ok;
}
