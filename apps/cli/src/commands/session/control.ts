import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { findSession } from "../../session/find-session.ts";

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
