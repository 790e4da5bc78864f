import { assertRoomForTool } from "./budget-guard.ts";
import type { CountedCall, SessionParts } from "./session-parts.ts";
import { MAIN_AGENT, withCall } from "./usage-sum.ts";

/** Writes what a model call used. Throws `BUDGET_EXHAUSTED`, of this session or one above, where no other may follow. */
export function countCall(
  { record, spec, parent }: SessionParts,
  call: CountedCall,
  turn: { turnId: string; wallMs: number } | undefined,
): void {
  const { usage: before, spent: spentBefore } = record.now;
  const { agent = MAIN_AGENT, model } = call;
  const counted = withCall(before, call.usage, { agent, model });
  // Between two turns it is no turn's.
  const usage = turn === undefined ? { ...counted, turn: before.turn } : counted;
  const spent = {
    modelCalls: spentBefore.modelCalls + 1,
    toolTurns: spentBefore.toolTurns + (call.hasToolCalls ? 1 : 0),
    wallMs: turn?.wallMs ?? spentBefore.wallMs,
  };
  const use = { model: model ?? null, usage: call.usage };
  const happening = { type: "usage" as const, usage, call: use };
  record.write({
    entries: [{ turnId: turn?.turnId ?? null, agent: call.agent, happening }],
    change: { usage, spent },
  });
  parent?.modelCalled(call);
  if (call.hasToolCalls || call.goesOn === true)
    assertRoomForTool(spec.budget ?? {}, { usage, spent });
}
