import { AgentOsError } from "@agentos/protocol";

/** SQLite's primary result codes, as far as more can be said about them than it says itself. */
const ADVICE: Readonly<Record<number, string>> = {
  5: "another sidecar of the pool uses it",
  8: "it can't be written",
  11: "it is damaged. Move it away to start without what it holds",
  13: "its disk or its bound is full",
  14: "it can't be opened",
  26: "it is not a state file. Move it away to start without what it holds",
};

/** A store that can't be opened: the sidecar does not start. */
export function startFailure(path: string, cause: unknown): AgentOsError {
  if (cause instanceof AgentOsError) return cause;
  const reason = reasonOf(cause);
  const message = `the state file ${path} is not usable: ${reason}`;
  return new AgentOsError("SIDECAR_START_FAILED", message, { reason, stderr: [] }, { cause });
}

/** A write that did not happen: what was asked for has no effect. */
export function writeFailure(cause: unknown): AgentOsError {
  if (cause instanceof AgentOsError) return cause;
  const reason = `the sidecar's state could not be written: ${reasonOf(cause)}`;
  return new AgentOsError("INTERNAL", reason, { reason }, { cause });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "errcode" in error ? Number(error.errcode) % 256 : 0;
  const advice = ADVICE[code];
  return advice === undefined ? error.message : `${error.message} (${advice})`;
}
