import type {
  SessionSpec,
  WorkflowEvent,
  WorkflowRunStatus,
  WorkflowRunSummary,
  WorkflowSource,
  WorkflowStepStatus,
} from "@agentos/protocol";

/** What a run's definition says that lists of runs tell. */
export interface WorkflowRunFacts {
  readonly name: string;
  readonly workflow: string;
  readonly namespace: string | null;
  readonly pattern: WorkflowRunSummary["pattern"];
  readonly steps: number;
  /** Kept this long after its end; `null`: as long as there is room. */
  readonly ttlMs: number | null;
}

/** A run in a list. */
export interface ListedWorkflowRun {
  readonly runId: string;
  readonly user: string;
  readonly vmId: string;
  readonly facts: WorkflowRunFacts;
  readonly status: WorkflowRunStatus;
  /** Steps that completed or were skipped. */
  readonly finished: number;
  readonly error: string | null;
  readonly createdAt: string;
  readonly endedAt: string | null;
  readonly lastSeq: number;
}

/** A run as it is written. What it was made of is sealed: it may hold keys. */
export interface StoredWorkflowRun extends ListedWorkflowRun {
  readonly cwd: string;
  readonly source: WorkflowSource;
  readonly providers: Readonly<Record<string, NonNullable<SessionSpec["provider"]>>>;
}

export type WorkflowRunChange = Partial<
  Pick<StoredWorkflowRun, "vmId" | "status" | "finished" | "error" | "endedAt">
>;

/** What is known of a step; what a run's definition says of it is not repeated. */
export interface StoredWorkflowStep {
  readonly name: string;
  readonly status: WorkflowStepStatus;
  readonly task: string | null;
  readonly output: string | null;
  readonly truncated: boolean;
  readonly error: string | null;
  readonly retries: number;
  readonly sessionId: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

/** What one transaction writes of a run, all of it or nothing. */
export interface WorkflowWrite {
  /** Their seqs follow the last one without a gap. */
  readonly events?: readonly WorkflowEvent[];
  readonly change?: WorkflowRunChange;
  /** Each replaces what was known of it. */
  readonly steps?: readonly StoredWorkflowStep[];
}

/** Where runs are kept, by keys that are unique across users. Every method is done, and durable, when it returns. */
export interface WorkflowStore {
  add(key: string, run: StoredWorkflowRun): void;
  write(key: string, write: WorkflowWrite): void;
  remove(key: string): void;
  find(key: string): StoredWorkflowRun | undefined;
  /** The last one first. */
  list(user: string): readonly { key: string; run: ListedWorkflowRun }[];
  /** Those of every user that were running or paused when the last life ended. */
  open(): readonly { key: string; run: StoredWorkflowRun }[];
  steps(key: string): readonly StoredWorkflowStep[];
  events(
    key: string,
    batch: { after: number; limit: number; maxBytes: number },
  ): readonly WorkflowEvent[];
}
