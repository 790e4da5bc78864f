import type {
  Clock,
  StoredWorkflowRun,
  StoredWorkflowStep,
  WorkflowRunChange,
  WorkflowStore,
} from "@agentos/core";
import type { WorkflowEvent, WorkflowHappening } from "@agentos/protocol";

import type { WorkflowPlan } from "../plan/workflow-plan.ts";

/** What one call of `write` makes of a run. */
export interface RecordWrite {
  readonly events?: readonly WorkflowHappening[];
  readonly change?: WorkflowRunChange;
  readonly steps?: readonly StoredWorkflowStep[];
}

const NOTHING_DONE = {
  status: "pending",
  task: null,
  output: null,
  truncated: false,
  error: null,
  retries: 0,
  sessionId: null,
  startedAt: null,
  endedAt: null,
} as const;

/** All that is known of one run: written first, then told to who reads. */
export class RunRecord {
  readonly key: string;
  readonly plan: WorkflowPlan;
  readonly #store: WorkflowStore;
  readonly #clock: Clock;
  readonly #steps = new Map<string, StoredWorkflowStep>();
  readonly #readers = new Set<() => void>();
  #run: StoredWorkflowRun;

  constructor(
    key: string,
    run: StoredWorkflowRun,
    plan: WorkflowPlan,
    { store, clock }: { store: WorkflowStore; clock: Clock },
  ) {
    this.key = key;
    this.plan = plan;
    this.#run = run;
    this.#store = store;
    this.#clock = clock;
    for (const { name } of plan.steps) this.#steps.set(name, { ...NOTHING_DONE, name });
    for (const step of store.steps(key))
      if (this.#steps.has(step.name)) this.#steps.set(step.name, step);
  }

  get run(): StoredWorkflowRun {
    return this.#run;
  }

  /** Throws for a name that the plan hasn't. */
  step(name: string): StoredWorkflowStep {
    const step = this.#steps.get(name);
    if (step === undefined) throw new Error(`the plan has no step ${name}`);
    return step;
  }

  get steps(): StoredWorkflowStep[] {
    return [...this.#steps.values()];
  }

  write({ events = [], change = {}, steps = [] }: RecordWrite): void {
    const at = new Date().toISOString();
    let seq = this.#run.lastSeq;
    const numbered: WorkflowEvent[] = events.map((event) => ({ ...event, at, seq: (seq += 1) }));
    const known = new Map(this.#steps);
    for (const step of steps) known.set(step.name, step);
    const finished = [...known.values()].filter(isFinished).length;
    const counted = finished === this.#run.finished ? change : { ...change, finished };
    this.#store.write(this.key, { events: numbered, change: counted, steps });
    this.#run = { ...this.#run, ...counted, lastSeq: seq };
    for (const step of steps) this.#steps.set(step.name, step);
    if (numbered.length > 0) for (const wake of this.#readers) wake();
  }

  /** Events after a seq. Without any it waits for the first. */
  async read(
    batch: { after: number; limit: number; maxBytes: number },
    waitMs: number,
    signal: AbortSignal,
  ): Promise<readonly WorkflowEvent[]> {
    if (this.#run.lastSeq <= batch.after && waitMs > 0) await this.#next(waitMs, signal);
    return this.#store.events(this.key, batch);
  }

  async #next(waitMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#readers.add(wake);
    const cancel = this.#clock.after(waitMs, wake);
    signal.addEventListener("abort", wake, { once: true });
    try {
      if (!signal.aborted) await promise;
    } finally {
      this.#readers.delete(wake);
      signal.removeEventListener("abort", wake);
      cancel();
    }
  }
}

function isFinished({ status }: StoredWorkflowStep): boolean {
  return status === "completed" || status === "skipped";
}
