import type { WorkflowRunInfo, WorkflowRunSummary, WorkflowStepInfo } from "@agentos/protocol";

import type { ListedWorkflowRun, WorkflowRunFacts } from "@agentos/core";
import type { PlannedStep, WorkflowPlan } from "../plan/workflow-plan.ts";
import { RUN_LIMITS } from "./run-limits.ts";
import type { RunRecord } from "./run-record.ts";

/** Of all texts in a list of steps: what one answer has room for. */
const LIST_CHARACTERS = 200_000;

export function runSummary(run: ListedWorkflowRun): WorkflowRunSummary {
  const { runId, vmId, facts, status, error, createdAt, endedAt, finished } = run;
  const { name, workflow, namespace, pattern, steps } = facts;
  return {
    runId,
    vmId,
    name,
    workflow,
    namespace,
    pattern,
    status,
    error: error?.slice(0, RUN_LIMITS.shownCharacters) ?? null,
    createdAt,
    endedAt,
    steps,
    finished,
  };
}

/** What lists of runs tell of a plan. */
export function runFacts(plan: WorkflowPlan): WorkflowRunFacts {
  const { name, workflow, namespace, pattern, steps, ttlMs } = plan;
  return { name, workflow, namespace, pattern, steps: steps.length, ttlMs: ttlMs ?? null };
}

export function runInfo(record: RunRecord): WorkflowRunInfo {
  const { plan, run } = record;
  const room = Math.floor(LIST_CHARACTERS / (3 * Math.max(1, plan.steps.length)));
  const characters = Math.min(RUN_LIMITS.shownCharacters, room);
  return {
    ...runSummary(run),
    topology: plan.topology,
    stepList: plan.steps.map((step) => stepInfo(record, step, characters)),
    lastSeq: run.lastSeq,
  };
}

/** A step with the first characters of its texts. */
export function stepInfo(
  record: RunRecord,
  { name, type, dependsOn, ...planned }: PlannedStep,
  characters: number,
): WorkflowStepInfo {
  const { status, task, output, truncated, error, retries, sessionId, startedAt, endedAt } =
    record.step(name);
  const agent = planned.kind === "agent" ? planned.agent.name : null;
  const shown = output?.slice(0, characters) ?? null;
  return {
    name,
    type,
    agent,
    status,
    dependsOn: [...dependsOn],
    task: task?.slice(0, characters) ?? null,
    output: shown,
    truncated: truncated || (output?.length ?? 0) > characters,
    error: error?.slice(0, characters) ?? null,
    retries,
    sessionId,
    startedAt,
    endedAt,
  };
}
