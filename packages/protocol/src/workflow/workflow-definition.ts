import * as z from "zod";

import { WorkflowAgent } from "./workflow-agent.ts";
import { WorkflowCommand, WorkflowMs, WorkflowName } from "./workflow-names.ts";
import { WorkflowStep } from "./workflow-step.ts";

export const WORKFLOW_PATTERNS = [
  "fan-out",
  "hub-spoke",
  "hierarchical",
  "scatter-gather",
  "supervisor",
  "auction",
  "saga",
  "pipeline",
  "handoff",
  "cascade",
  "circuit-breaker",
  "escalation",
  "consensus",
  "debate",
  "mesh",
  "blackboard",
  "dag",
  "map-reduce",
  "reflection",
  "red-team",
  "verifier",
  "review-loop",
  "swarm",
  "competitive",
] as const;

/** Who may write to whom, and in which order agents without steps work. `auto` picks one by roles and steps. */
export const WorkflowPattern = z.enum([...WORKFLOW_PATTERNS, "auto"]);
export type WorkflowPattern = z.infer<typeof WorkflowPattern>;

const IdleNudge = z.strictObject({
  /** Idle for this long, an agent is reminded. Default 120 s. */
  nudgeAfterMs: WorkflowMs.optional(),
  /** Between reminders, and from the last to the release. Default 120 s. */
  escalateAfterMs: WorkflowMs.optional(),
  /** Default 1. */
  maxNudges: z.int().min(0).max(100).optional(),
});

const Swarm = z.strictObject({
  pattern: WorkflowPattern,
  /** Steps at the same time. Default 4. */
  maxConcurrency: z.int().min(1).max(100).optional(),
  /** Of each step that has none of its own or its agent's. */
  timeoutMs: WorkflowMs.optional(),
  /** All agents are members of it. */
  channel: z.string().min(1).max(129).optional(),
  idleNudge: IdleNudge.optional(),
  /** A silent agent counts as done. Default false: only its turn's end does. */
  idleIsDone: z.boolean().optional(),
});

/** A command whose output must be right before anything starts; 30 s. */
const Preflight = z.strictObject({
  command: WorkflowCommand,
  /** `empty`, `non-empty`, or a regular expression that its stdout must not match. */
  failIf: z.string().min(1).max(1024).optional(),
  /** The same for what it must match. */
  successIf: z.string().min(1).max(1024).optional(),
  description: z.string().max(4096).optional(),
});
export type Preflight = z.infer<typeof Preflight>;

const Workflow = z.strictObject({
  name: WorkflowName,
  description: z.string().max(4096).optional(),
  preflight: z.array(Preflight).max(64).optional(),
  steps: z.array(WorkflowStep).min(1).max(500),
  /** `fail` stops the run, `skip` goes on with what does not depend on it, `retry` as errorHandling says. */
  onError: z.enum(["fail", "skip", "retry"]).optional(),
});

const Coordination = z.strictObject({
  barriers: z
    .array(
      z.strictObject({
        name: WorkflowName,
        waitFor: z.array(WorkflowName).min(1).max(500),
        /** From the run's start. */
        timeoutMs: WorkflowMs.optional(),
      }),
    )
    .max(100)
    .optional(),
  /** Share of approvals that a vote needs. Default: more than a half; of `quorum` 0.67. */
  votingThreshold: z.number().gt(0).max(1).optional(),
  /** What each reviewer's vote counts, by its name. Default 1; `unanimous` counts heads. */
  voteWeights: z.record(WorkflowName, z.number().gt(0).max(1_000)).optional(),
  /** For a vote; who has not voted by then abstains. Default 5 min. */
  voteExpiryMs: WorkflowMs.optional(),
  /** Default majority. */
  consensusStrategy: z.enum(["majority", "unanimous", "quorum"]).optional(),
});
export type Coordination = z.infer<typeof Coordination>;

/** A workflow's file. Unknown keys are refused: what is not carried out must not look as if it was. */
export const WorkflowDefinition = z.strictObject({
  version: z.string().min(1).max(32),
  name: z.string().min(1).max(128),
  description: z.string().max(4096).optional(),
  swarm: Swarm,
  agents: z.array(WorkflowAgent).max(100).optional(),
  /** Absent: one step for each agent that has a task, in the pattern's order. */
  workflows: z.array(Workflow).min(1).max(32).optional(),
  coordination: Coordination.optional(),
  state: z
    .strictObject({
      /** Both are the sidecar's own state file. */
      backend: z.enum(["memory", "database"]).optional(),
      /** The run is forgotten this long after its end. */
      ttlMs: WorkflowMs.optional(),
      namespace: z.string().min(1).max(128).optional(),
    })
    .optional(),
  errorHandling: z
    .strictObject({
      /** Default fail-fast. */
      strategy: z.enum(["fail-fast", "continue", "retry"]).optional(),
      /** Of each step that has none of its own or its agent's. Default 0; with `retry` 2. */
      maxRetries: z.int().min(0).max(100).optional(),
      /** Default 1 s. */
      retryDelayMs: z.int().min(0).max(3_600_000).optional(),
      /** Told when the run fails. */
      notifyChannel: z.string().min(1).max(129).optional(),
    })
    .optional(),
  /** Only `false`: the run's events are its record. */
  trajectories: z.literal(false).optional(),
});
export type WorkflowDefinition = z.infer<typeof WorkflowDefinition>;
