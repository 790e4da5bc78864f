import type { SessionStore, StoredTurn } from "@agentos/core";

import { endTurn } from "./end-turn.ts";
import type { SessionRecord } from "./session-record.ts";

/**
 * Ends what ran when the life before was lost: its turn as interrupted, what it had asked as cancelled.
 * The turns that had not begun are what is left.
 */
export function settleInterrupted(record: SessionRecord, store: SessionStore): StoredTurn[] {
  const turns = store.turns(record.key);
  for (const request of store.requests(record.key)) {
    const { requestId, turnId } = request;
    const happening = { type: "request_resolved", requestId, outcome: "cancelled" } as const;
    const settleRequest = { requestId, outcome: "cancelled" } as const;
    record.write({ settleRequest, entries: [{ turnId, happening }] });
  }
  for (const { turnId } of turns.filter(({ state }) => state === "running"))
    endTurn(record, turnId, "interrupted", record.now.usage.turn);
  const { state } = record.now;
  if (state !== "idle") record.write({ state: "idle", reason: "the sidecar was restarted" });
  return turns.filter((turn) => turn.state === "queued");
}
