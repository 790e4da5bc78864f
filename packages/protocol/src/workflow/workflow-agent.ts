import * as z from "zod";

import { WorkflowMs, WorkflowName, WorkflowPath, WorkflowText } from "./workflow-names.ts";

/** Programs by the names that other runners know them by. */
export const WORKFLOW_CLIS = [
  "claude",
  "codex",
  "gemini",
  "opencode",
  "pi",
  "aider",
  "goose",
  "droid",
  "cursor",
  "cursor-agent",
  "agent",
] as const;

/** `worker`, `reviewer` and `analyst` are not interactive and are told their role; `lead` is interactive. */
export const WorkflowPreset = z.enum(["lead", "worker", "reviewer", "analyst"]);
export type WorkflowPreset = z.infer<typeof WorkflowPreset>;

const WorkflowConstraints = z.strictObject({
  /** The session's budget of tokens. */
  maxTokens: z.int().min(1).optional(),
  /** Of each of its steps that has none of its own. */
  timeoutMs: WorkflowMs.optional(),
  /** The same. */
  retries: z.int().min(0).max(100).optional(),
  model: z.string().min(1).max(256).optional(),
  /** Without a sign of life for this long it is idle. Default 30; 0: never. */
  idleThresholdSecs: z.int().min(0).max(86_400).optional(),
});

/** Who does steps. Either `cli` or `runtime` says what it is. */
export const WorkflowAgent = z.strictObject({
  name: WorkflowName,
  /** The runtime by its program's name. */
  cli: z.enum(WORKFLOW_CLIS).optional(),
  /** A runtime of sessions: `api`, `anthropic`, `claude-code`, … */
  runtime: z.string().min(1).max(64).optional(),
  role: z.string().min(1).max(256).optional(),
  /** What it does in a workflow that names no steps. */
  task: WorkflowText.optional(),
  channels: z.array(z.string().min(1).max(129)).max(64).optional(),
  /** It may be written to while it works. Default: what `preset` says, else true. */
  interactive: z.boolean().optional(),
  cwd: WorkflowPath.optional(),
  /** Further folders that its file tools may use. */
  additionalPaths: z.array(WorkflowPath).max(31).optional(),
  preset: WorkflowPreset.optional(),
  constraints: WorkflowConstraints.optional(),
});
export type WorkflowAgent = z.infer<typeof WorkflowAgent>;
