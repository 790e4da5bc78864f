import { AgentOsError, type SessionState } from "@agentos/protocol";

const NEXT: Readonly<Record<SessionState, readonly SessionState[]>> = {
  starting: ["idle", "closed", "failed", "deleted"],
  idle: ["running", "closed", "failed", "deleted"],
  running: ["waiting", "idle", "closed", "failed", "deleted"],
  waiting: ["running", "idle", "closed", "failed", "deleted"],
  closed: ["starting", "deleted"],
  failed: ["starting", "deleted"],
  deleted: [],
};

/** Whether the session takes prompts. */
export function isOpen(state: SessionState): boolean {
  return state !== "closed" && state !== "failed" && state !== "deleted";
}

/** Throws `INTERNAL` for a step that no session takes. */
export function assertFollows(from: SessionState, to: SessionState): void {
  if (NEXT[from].includes(to)) return;
  const reason = `a session that is ${from} can't become ${to}`;
  throw new AgentOsError("INTERNAL", reason, { reason });
}
