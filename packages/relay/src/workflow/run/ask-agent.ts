import type { WorkflowAgentHandle } from "@agentos/core";

import type { PlannedAgent } from "../plan/workflow-plan.ts";
import { IdleWatch } from "./idle-watch.ts";
import type { RunContext, StepOutcome } from "./run-context.ts";

export interface AskAgent {
  readonly step: string;
  readonly agent: PlannedAgent;
  readonly handle: WorkflowAgentHandle;
  readonly task: string;
  readonly signal: AbortSignal;
}

/** Gives an agent a task and waits for its turn's end, however silent it is meanwhile. */
export async function askAgent(
  { plan, record, clock }: RunContext,
  { step, agent, handle, task, signal }: AskAgent,
): Promise<StepOutcome> {
  using watch = new IdleWatch({
    plan,
    agent,
    handle,
    clock,
    onNudge: (nudgeCount) => record.write({ events: [{ type: "step_nudged", step, nudgeCount }] }),
    onReleased: () => record.write({ events: [{ type: "step_force_released", step }] }),
  });
  const stop = new AbortController();
  const answer = handle.run(task, {
    signal: AbortSignal.any([signal, stop.signal]),
    onActivity: watch.active,
  });
  try {
    const first = await Promise.race([answer, watch.over]);
    return first === "done" ? { output: "", echoesTask: false, exitCode: null } : first;
  } finally {
    stop.abort();
    answer.catch(() => undefined);
  }
}
