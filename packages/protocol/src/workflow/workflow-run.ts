import * as z from "zod";

import { Id, VmId } from "../ids.ts";
import { WORKFLOW_PATTERNS } from "./workflow-definition.ts";

export const WorkflowRunStatus = z.enum([
  "pending",
  "running",
  /** Steps that run go on; none starts. */
  "paused",
  "completed",
  "failed",
  "cancelled",
  /** Its sidecar ended. It goes on by `workflow.resume`. */
  "interrupted",
]);
export type WorkflowRunStatus = z.infer<typeof WorkflowRunStatus>;

export const WorkflowStepStatus = z.enum(["pending", "running", "completed", "failed", "skipped"]);
export type WorkflowStepStatus = z.infer<typeof WorkflowStepStatus>;

export const WorkflowStepType = z.enum(["agent", "deterministic", "worktree", "custom"]);
export type WorkflowStepType = z.infer<typeof WorkflowStepType>;

/** One step of a run. Times are ISO 8601. */
export const WorkflowStepInfo = z.object({
  name: z.string(),
  type: WorkflowStepType,
  agent: z.string().nullable(),
  status: WorkflowStepStatus,
  dependsOn: z.array(z.string()),
  /** As it was told, placeholders filled in. */
  task: z.string().nullable(),
  /** The beginning, where it is long: `workflow.step` gives all that is kept. */
  output: z.string().nullable(),
  truncated: z.boolean(),
  error: z.string().nullable(),
  retries: z.int(),
  /** Of the agent's last try: its transcript is read there. */
  sessionId: Id.nullable(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
});
export type WorkflowStepInfo = z.infer<typeof WorkflowStepInfo>;

export const WorkflowRunSummary = z.object({
  runId: Id,
  vmId: VmId,
  /** The definition's. */
  name: z.string(),
  /** Which of its workflows runs. */
  workflow: z.string(),
  namespace: z.string().nullable(),
  pattern: z.enum(WORKFLOW_PATTERNS),
  status: WorkflowRunStatus,
  error: z.string().nullable(),
  createdAt: z.string(),
  endedAt: z.string().nullable(),
  steps: z.int(),
  finished: z.int(),
});
export type WorkflowRunSummary = z.infer<typeof WorkflowRunSummary>;

/** Whom each agent may write to. */
export const WorkflowTopology = z.object({
  hub: z.string().nullable(),
  edges: z.record(z.string(), z.array(z.string())),
});
export type WorkflowTopology = z.infer<typeof WorkflowTopology>;

export const WorkflowRunInfo = WorkflowRunSummary.extend({
  topology: WorkflowTopology,
  stepList: z.array(WorkflowStepInfo),
  lastSeq: z.int(),
});
export type WorkflowRunInfo = z.infer<typeof WorkflowRunInfo>;

const step = z.string();
const happenings = z.discriminatedUnion("type", [
  z.object({ type: z.literal("run_started"), resumed: z.boolean() }),
  z.object({ type: z.literal("run_paused") }),
  z.object({ type: z.literal("run_continued") }),
  z.object({ type: z.literal("run_completed") }),
  z.object({ type: z.literal("run_failed"), error: z.string() }),
  z.object({ type: z.literal("run_cancelled") }),
  z.object({ type: z.literal("run_interrupted") }),
  z.object({ type: z.literal("preflight_passed"), command: z.string() }),
  z.object({ type: z.literal("step_started"), step, agent: z.string().nullable() }),
  z.object({ type: z.literal("step_completed"), step, output: z.string() }),
  z.object({ type: z.literal("step_failed"), step, error: z.string() }),
  z.object({ type: z.literal("step_skipped"), step, reason: z.string() }),
  z.object({
    type: z.literal("step_retrying"),
    step,
    /** The try that comes: 2 is the first one that is repeated. */
    attempt: z.int(),
    error: z.string(),
  }),
  z.object({
    type: z.literal("step_iterating"),
    step,
    iteration: z.int(),
    reason: z.string(),
  }),
  z.object({
    type: z.literal("step_reviewed"),
    step,
    reviewer: z.string(),
    vote: z.enum(["approve", "reject", "abstain"]),
    comment: z.string(),
  }),
  z.object({ type: z.literal("step_nudged"), step, nudgeCount: z.int() }),
  z.object({ type: z.literal("step_force_released"), step }),
  z.object({ type: z.literal("barrier_reached"), barrier: z.string() }),
]);
/** What happened in a run, without its place in it. */
export const WorkflowHappening = happenings;
export type WorkflowHappening = z.infer<typeof WorkflowHappening>;

/** `seq` has no gaps; a reader goes on from the last one that it has. */
export const WorkflowEvent = z
  .object({ seq: z.int().min(1), at: z.string() })
  .and(WorkflowHappening);
export type WorkflowEvent = z.infer<typeof WorkflowEvent>;

/** What a run would do. */
export const WorkflowReport = z.object({
  valid: z.boolean(),
  errors: z.array(z.string()),
  warnings: z.array(z.string()),
  name: z.string(),
  workflow: z.string(),
  description: z.string().nullable(),
  pattern: z.enum(WORKFLOW_PATTERNS),
  agents: z.array(
    z.object({
      name: z.string(),
      runtime: z.string(),
      cli: z.string().nullable(),
      model: z.string().nullable(),
      role: z.string().nullable(),
      cwd: z.string(),
      stepCount: z.int(),
    }),
  ),
  topology: WorkflowTopology,
  waves: z.array(
    z.object({
      wave: z.int(),
      steps: z.array(
        z.object({
          name: z.string(),
          type: WorkflowStepType,
          agent: z.string().nullable(),
          dependsOn: z.array(z.string()),
        }),
      ),
    }),
  ),
  totalSteps: z.int(),
  maxConcurrency: z.int(),
  estimatedWaves: z.int(),
  estimatedPeakConcurrency: z.int(),
  estimatedTotalAgentSteps: z.int(),
});
export type WorkflowReport = z.infer<typeof WorkflowReport>;
