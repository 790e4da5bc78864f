import type { AgentRuntime, SessionStore, StoredTrace, StoredTurn } from "@agentos/core";

import { endTurn } from "./end-turn.ts";
import type { SessionRecord } from "./session-record.ts";

/** A turn whose agent goes on in its VM. */
export interface AdoptableTurn {
  readonly turn: StoredTurn;
  readonly trace: StoredTrace;
}

/** What of an earlier life goes on in this one. */
export interface LeftTurns {
  /** Turns that had not begun. */
  readonly queued: readonly StoredTurn[];
  readonly running: AdoptableTurn | undefined;
}

/**
 * Ends what ran when the life before was lost as interrupted: but for a turn that its agent goes on with. What was
 * asked of people stays open.
 */
export function settleInterrupted(
  record: SessionRecord,
  store: SessionStore,
  runtime: AgentRuntime | undefined,
): LeftTurns {
  const turns = store.turns(record.key);
  const running = adoptable(record, turns, runtime);
  for (const { turnId, state } of turns)
    if (state === "running" && turnId !== running?.turn.turnId)
      endTurn(record, turnId, "interrupted", record.now.usage.turn);
  const { state } = record.now;
  const reason = "the sidecar was restarted";
  if (running !== undefined && state === "waiting") record.write({ state: "running", reason });
  if (running === undefined && state !== "idle") record.write({ state: "idle", reason });
  return { queued: turns.filter((turn) => turn.state === "queued"), running };
}

function adoptable(
  { now }: SessionRecord,
  turns: readonly StoredTurn[],
  runtime: AgentRuntime | undefined,
): AdoptableTurn | undefined {
  const { agentTrace: trace, isSubagent } = now;
  const turn = turns.find(({ turnId, state }) => state === "running" && turnId === trace?.turnId);
  if (trace === null || turn === undefined || isSubagent) return undefined;
  return runtime?.capabilities.adoption === true ? { turn, trace } : undefined;
}
