import type { ClientCallbacks, Clock, WorkflowPlace } from "@agentos/core";
import type { SessionSpec } from "@agentos/protocol";

import type { WorkflowPlan } from "../plan/workflow-plan.ts";
import type { RunRecord } from "./run-record.ts";

/** What the steps of a run work with. */
export interface RunContext {
  readonly plan: WorkflowPlan;
  readonly record: RunRecord;
  readonly place: WorkflowPlace;
  readonly callbacks: ClientCallbacks;
  readonly clock: Clock;
  readonly providers: Readonly<Record<string, NonNullable<SessionSpec["provider"]>>>;
}

/** One try of a step. */
export interface StepTry {
  /** 1 is the first one. */
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** The text with what is known filled in. */
  readonly fill: (text: string) => string;
  /** Absolute. */
  readonly cwd: string;
}

/** What came of a step. */
export interface StepOutcome {
  readonly output: string;
  readonly echoesTask: boolean;
  readonly exitCode: number | null;
}
