import { AgentOs, AgentOsError, type SessionSummary } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";

/** A session of this user by its id, or a unique beginning of it. Rejects with `NOT_FOUND`. */
export async function findSession({ pool }: GlobalOptions, id: string): Promise<SessionSummary> {
  const sessions = await AgentOs.listSessions({ pool });
  const exact = sessions.find(({ sessionId }) => sessionId === id);
  if (exact !== undefined) return exact;
  const [only, ...others] = sessions.filter(({ sessionId }) => sessionId.startsWith(id));
  if (only !== undefined && others.length === 0) return only;
  const problem = only === undefined ? "there is no session" : "more than one session begins with";
  throw new AgentOsError("NOT_FOUND", `${problem} ${id}`, { kind: "session", id });
}
