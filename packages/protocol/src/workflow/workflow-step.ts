import * as z from "zod";

import {
  WorkflowCommand,
  WorkflowMs,
  WorkflowName,
  WorkflowPath,
  WorkflowText,
} from "./workflow-names.ts";

/** What proves that a step did its work. */
export const Verification = z.discriminatedUnion("type", [
  /** The text is in the output; where that begins with an echo of the task, behind it. */
  z.strictObject({
    type: z.literal("output_contains"),
    value: z.string().min(1).max(65_536),
    description: z.string().optional(),
  }),
  /** The file is there; relative to the step's directory. */
  z.strictObject({
    type: z.literal("file_exists"),
    value: WorkflowPath,
    description: z.string().optional(),
  }),
  /** The step's program ended with that number. */
  z.strictObject({
    type: z.literal("exit_code"),
    value: z.union([z.int().min(0).max(255), z.string().regex(/^\d{1,3}$/)]),
    description: z.string().optional(),
  }),
  /** A command that ends with 0, or a function of the client that says true. One of the two. */
  z.strictObject({
    type: z.literal("custom"),
    value: WorkflowCommand.optional(),
    use: WorkflowName.optional(),
    timeoutMs: WorkflowMs.optional(),
    description: z.string().optional(),
  }),
]);
export type Verification = z.infer<typeof Verification>;

const common = {
  name: WorkflowName,
  /** Steps and barriers that come first. */
  dependsOn: z.array(WorkflowName).max(500).optional(),
  timeoutMs: WorkflowMs.optional(),
  /** Default: the agent's, else the workflow's directory. */
  cwd: WorkflowPath.optional(),
  retries: z.int().min(0).max(100).optional(),
  verification: Verification.optional(),
};

export const AgentStep = z.strictObject({
  ...common,
  type: z.literal("agent").optional(),
  agent: WorkflowName,
  task: WorkflowText,
  /** How often the agent may work on it in one conversation until it is verified and approved. Default 1; with `reviewers` 3. */
  maxIterations: z.int().min(1).max(100).optional(),
  /** Agents that vote on the output; `coordination` says how. */
  reviewers: z.array(WorkflowName).min(1).max(32).optional(),
});
export type AgentStep = z.infer<typeof AgentStep>;

/** A command in the VM. */
export const DeterministicStep = z.strictObject({
  ...common,
  type: z.literal("deterministic"),
  command: WorkflowCommand,
  /** Another exit code than 0 is a failure. Default true. */
  failOnError: z.boolean().optional(),
  /** Its stdout is the step's output. Default true. */
  captureOutput: z.boolean().optional(),
});

/** A git worktree; its output is the worktree's path. */
export const WorktreeStep = z.strictObject({
  ...common,
  type: z.literal("worktree"),
  branch: z.string().min(1).max(255),
  /** Default HEAD. */
  baseBranch: z.string().min(1).max(255).optional(),
  /** Default `.worktrees/STEP`. */
  path: WorkflowPath.optional(),
  /** Default true. */
  createBranch: z.boolean().optional(),
});

/** A step that is defined elsewhere: in a file of custom steps, or as a function of the client. */
export const CustomStep = z.strictObject({
  ...common,
  type: z.literal("custom").optional(),
  use: WorkflowName,
  params: z.record(WorkflowName, z.union([z.string(), z.number(), z.boolean()])).optional(),
});

/** `custom` may be left out where `use` is there, `agent` everywhere else. */
export const WorkflowStep = z.union([DeterministicStep, WorktreeStep, CustomStep, AgentStep]);
export type WorkflowStep = z.infer<typeof WorkflowStep>;

const definition = {
  description: z.string().max(4096).optional(),
  params: z
    .array(
      z.strictObject({
        name: WorkflowName,
        required: z.boolean().optional(),
        default: z.union([z.string(), z.number(), z.boolean()]).optional(),
        description: z.string().max(4096).optional(),
      }),
    )
    .max(64)
    .optional(),
  timeoutMs: WorkflowMs.optional(),
};

/** What `use` names; `{{param}}` in it is the step's parameter. */
export const CustomStepDefinition = z.discriminatedUnion("type", [
  z.strictObject({
    ...definition,
    type: z.literal("deterministic"),
    command: WorkflowCommand,
    failOnError: z.boolean().optional(),
    captureOutput: z.boolean().optional(),
  }),
  z.strictObject({
    ...definition,
    type: z.literal("worktree"),
    branch: z.string().min(1).max(255),
    baseBranch: z.string().min(1).max(255).optional(),
    path: WorkflowPath.optional(),
    createBranch: z.boolean().optional(),
  }),
]);
export type CustomStepDefinition = z.infer<typeof CustomStepDefinition>;

export const CustomSteps = z.strictObject({
  steps: z.record(WorkflowName, CustomStepDefinition),
});
export type CustomSteps = z.infer<typeof CustomSteps>;
