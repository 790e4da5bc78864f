import type { ListedWorkflowRun, StoredWorkflowRun, StoredWorkflowStep } from "@agentos/core";
import {
  Id,
  SessionSpec,
  WORKFLOW_PATTERNS,
  WorkflowRunStatus,
  WorkflowSource,
  WorkflowStepStatus,
} from "@agentos/protocol";
import * as z from "zod";

import type { SealedText } from "./sealed-text.ts";

const Row = z.object({
  key: z.string(),
  user: z.string(),
  run_id: Id,
  vm_id: z.string(),
  facts: z.string(),
  status: WorkflowRunStatus,
  finished: z.int(),
  error: z.string().nullable(),
  created_at: z.string(),
  ended_at: z.string().nullable(),
  last_seq: z.int(),
});

const Facts = z.object({
  name: z.string(),
  workflow: z.string(),
  namespace: z.string().nullable(),
  pattern: z.enum(WORKFLOW_PATTERNS),
  steps: z.int(),
  ttlMs: z.number().nullable(),
});

/** What a run is made of; it may hold keys. */
const Recipe = z.object({
  cwd: z.string(),
  source: WorkflowSource,
  providers: z.record(z.string(), SessionSpec.shape.provider.unwrap()),
});

const Step = z.object({
  name: z.string(),
  status: WorkflowStepStatus,
  task: z.string().nullable(),
  output: z.string().nullable(),
  truncated: z.boolean(),
  error: z.string().nullable(),
  retries: z.int(),
  sessionId: Id.nullable(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
});

/** Throws where a column holds what no version wrote. */
export function readListedRun(row: unknown): { key: string; run: ListedWorkflowRun } {
  const columns = Row.parse(row);
  const run: ListedWorkflowRun = {
    runId: columns.run_id,
    user: columns.user,
    vmId: columns.vm_id,
    facts: Facts.parse(JSON.parse(columns.facts)),
    status: columns.status,
    finished: columns.finished,
    error: columns.error,
    createdAt: columns.created_at,
    endedAt: columns.ended_at,
    lastSeq: columns.last_seq,
  };
  return { key: columns.key, run };
}

/** The same with what it is made of. */
export function readStoredRun(
  row: Record<string, unknown>,
  sealed: SealedText,
): { key: string; run: StoredWorkflowRun } {
  const { key, run } = readListedRun(row);
  const recipe = z.instanceof(Uint8Array).parse(row["recipe"]);
  return { key, run: { ...run, ...Recipe.parse(JSON.parse(sealed.open(recipe))) } };
}

export function recipeText({ cwd, source, providers }: StoredWorkflowRun): string {
  return JSON.stringify({ cwd, source, providers });
}

export function readStoredStep(text: string): StoredWorkflowStep {
  return Step.parse(JSON.parse(text));
}
