import type { StopReason, TurnResult, Usage } from "@agentos/protocol";

import type { SessionRecord } from "./session-record.ts";

/** Writes and tells the end of a turn that does not run. */
export function endTurn(
  record: SessionRecord,
  turnId: string,
  stopReason: StopReason,
  usage: Usage | null = null,
): TurnResult {
  const result: TurnResult = { turnId, text: "", stopReason, usage, durationMs: 0 };
  const entries = [{ turnId, happening: { type: "turn_end" as const, result } }];
  record.write({ endTurn: turnId, entries });
  return result;
}
