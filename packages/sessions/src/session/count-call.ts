import type { Usage } from "@agentos/protocol";

import { assertRoomForTool } from "./budget-guard.ts";
import type { SessionParts } from "./session-parts.ts";
import { MAIN_AGENT, withCall } from "./usage-sum.ts";

export interface ModelCall {
  readonly usage: Usage;
  readonly hasToolCalls: boolean;
  /** Another call follows all the same. */
  readonly goesOn?: boolean | undefined;
  /** The subagent's session; undefined: the main agent. */
  readonly agent?: string | undefined;
}

/** Writes what a model call used. Throws `BUDGET_EXHAUSTED`, of this session or one above, where no other may follow. */
export function countCall(
  { record, spec, parent }: SessionParts,
  call: ModelCall,
  turn: { turnId: string; wallMs: number } | undefined,
): void {
  const { usage: before, spent: spentBefore } = record.now;
  const counted = withCall(before, call.usage, call.agent ?? MAIN_AGENT);
  // Between two turns it is no turn's.
  const usage = turn === undefined ? { ...counted, turn: before.turn } : counted;
  const spent = {
    modelCalls: spentBefore.modelCalls + 1,
    toolTurns: spentBefore.toolTurns + (call.hasToolCalls ? 1 : 0),
    wallMs: turn?.wallMs ?? spentBefore.wallMs,
  };
  const happening = { type: "usage" as const, usage };
  record.write({
    entries: [{ turnId: turn?.turnId ?? null, happening }],
    change: { usage, spent },
  });
  parent?.modelCalled(call);
  if (call.hasToolCalls || call.goesOn === true)
    assertRoomForTool(spec.budget ?? {}, { usage, spent });
}
