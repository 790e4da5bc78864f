import type {
  ClientCallbacks,
  Clock,
  StoredWorkflowRun,
  WorkflowNotices,
  WorkflowPlaces,
  WorkflowStore,
} from "@agentos/core";
import {
  AgentOsError,
  type SessionSpec,
  type WorkflowReport,
  type WorkflowRunInfo,
  type WorkflowRunSummary,
  type WorkflowSource,
  type WorkflowStepInfo,
} from "@agentos/protocol";

import { compileWorkflow, planWorkflow } from "./plan/compile-workflow.ts";
import { reportWorkflow } from "./plan/report-workflow.ts";
import { RUN_LIMITS } from "./run/run-limits.ts";
import { RunRecord } from "./run/run-record.ts";
import { runFacts, runInfo, runSummary, stepInfo } from "./run/run-view.ts";
import { WorkflowRun } from "./run/workflow-run.ts";

/** Where the engine's own troubles go. Nothing of a guest's data belongs in it. */
interface WorkflowLog {
  warn(facts: Record<string, unknown>, message: string): void;
}

export interface WorkflowHostOptions {
  readonly store: WorkflowStore;
  readonly places: WorkflowPlaces;
  /** A user's functions. */
  readonly callbacks: (user: string) => ClientCallbacks;
  readonly notices?: WorkflowNotices | undefined;
  readonly clock: Clock;
  readonly log: WorkflowLog;
  /** Runs came or went. */
  readonly onChange?: (() => void) | undefined;
}

interface Holder {
  readonly user: string;
  readonly vmId: string;
  readonly fence: number;
}

export interface RunRequest {
  readonly runId: string;
  readonly source: WorkflowSource;
  readonly cwd?: string | undefined;
  readonly providers?: Readonly<Record<string, NonNullable<SessionSpec["provider"]>>> | undefined;
}

interface Live {
  readonly record: RunRecord;
  readonly run: WorkflowRun;
}

/** All workflow runs of a sidecar. Those of one user are unknown to another. */
export class WorkflowHost {
  readonly #options: WorkflowHostOptions;
  readonly #live = new Map<string, Live>();
  #isClosing = false;

  constructor(options: WorkflowHostOptions) {
    this.#options = options;
  }

  /** Whether a step runs anywhere. */
  get isBusy(): boolean {
    return this.#live.size > 0;
  }

  /** What an earlier life had running can be resumed from its last finished step. */
  restore(): void {
    const { store } = this.#options;
    for (const { key, run } of store.open()) {
      if (run.status === "paused") continue;
      try {
        const record = this.#recordOf(key, run);
        const cut = record.steps.filter(({ status }) => status === "running");
        const steps = cut.map((step) => ({ ...step, status: "pending" as const, startedAt: null }));
        const change = { status: "interrupted" } as const;
        record.write({ change, steps, events: [{ type: "run_interrupted" }] });
      } catch (error) {
        const reason = error instanceof Error ? error.message : "unknown";
        this.#options.log.warn({ runId: run.runId, reason }, "a stored run can't be read");
      }
    }
  }

  check(source: WorkflowSource): WorkflowReport {
    return reportWorkflow(compileWorkflow(source));
  }

  /** Starts a run; it is stored when this returns. Throws `INVALID_ARGUMENT`, and nothing of it is left. */
  run(holder: Holder, request: RunRequest): WorkflowRunInfo {
    const { user, vmId, fence } = holder;
    const { runId, source, cwd = "/workspace", providers = {} } = request;
    const key = keyOf(user, runId);
    const known = this.#options.store.find(key);
    if (known !== undefined) return runInfo(this.#recordOf(key, known));
    const plan = planWorkflow(source, cwd);
    this.#assertRoom();
    this.#forgetOld(user);
    const place = this.#options.places.hold(user, vmId, fence);
    const run: StoredWorkflowRun = {
      runId,
      user,
      vmId,
      facts: runFacts(plan),
      finished: 0,
      cwd,
      source,
      providers,
      status: "pending",
      error: null,
      createdAt: new Date().toISOString(),
      endedAt: null,
      lastSeq: 0,
    };
    try {
      this.#options.store.add(key, run);
    } catch (error) {
      place.release();
      throw error;
    }
    const record = new RunRecord(key, run, plan, this.#options);
    this.#begin(record, place, false);
    return runInfo(record);
  }

  list(
    user: string,
    filter: { vmId?: string | undefined; namespace?: string | undefined },
  ): WorkflowRunSummary[] {
    this.#forgetOld(user);
    const { vmId, namespace } = filter;
    return this.#options.store
      .list(user)
      .filter(({ run }) => vmId === undefined || run.vmId === vmId)
      .map(({ run }) => runSummary(run))
      .filter((summary) => namespace === undefined || summary.namespace === namespace);
  }

  /** Throws `NOT_FOUND`. */
  show(user: string, runId: string): WorkflowRunInfo {
    return runInfo(this.record(user, runId));
  }

  /** Throws `NOT_FOUND`. */
  step(user: string, runId: string, name: string): WorkflowStepInfo {
    const record = this.record(user, runId);
    const planned = record.plan.steps.find((step) => step.name === name);
    if (planned === undefined) throw unknown("workflow step", name);
    return stepInfo(record, planned, RUN_LIMITS.outputCharacters);
  }

  /** A run that is known. Throws `NOT_FOUND`. */
  record(user: string, runId: string): RunRecord {
    const key = keyOf(user, runId);
    const run = this.#options.store.find(key);
    if (run === undefined) throw unknown("workflow run", runId);
    return this.#recordOf(key, run);
  }

  /** Whether its events may go on without anybody resuming it. */
  isLive(record: RunRecord): boolean {
    return this.#live.has(record.key);
  }

  pause(user: string, runId: string): WorkflowRunSummary {
    const record = this.record(user, runId);
    this.#live.get(record.key)?.run.pause();
    return runSummary(record.run);
  }

  /** Goes on in the holder's VM with what has not finished. Throws `NOT_FOUND`. */
  async resume({ user, vmId, fence }: Holder, runId: string): Promise<WorkflowRunSummary> {
    const record = this.record(user, runId);
    const live = this.#live.get(record.key);
    const isOver = live === undefined || record.run.status === "completed";
    if (!isOver && (record.run.status === "running" || live.run.goOn()))
      return runSummary(record.run);
    if (record.run.status === "completed") return runSummary(record.run);
    await live?.run.ended;
    this.#assertRoom();
    const place = this.#options.places.hold(user, vmId, fence);
    const again = record.steps.filter(({ status }) => status !== "completed");
    const steps = again.map((step) => ({
      ...step,
      status: "pending" as const,
      error: null,
      endedAt: null,
    }));
    record.write({ change: { vmId }, steps });
    this.#begin(record, place, true);
    return runSummary(record.run);
  }

  /** Ends a run; resolves once nothing of it runs. Throws `NOT_FOUND`. */
  async abort(user: string, runId: string): Promise<WorkflowRunSummary> {
    const record = this.record(user, runId);
    const live = this.#live.get(record.key);
    await live?.run.abort();
    const { status } = record.run;
    if (live === undefined && (status === "paused" || status === "interrupted")) {
      const change = { status: "cancelled", endedAt: new Date().toISOString() } as const;
      record.write({ change, events: [{ type: "run_cancelled" }] });
    }
    return runSummary(record.run);
  }

  /** Interrupts every run: each can be resumed. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#live.values()].map(({ run }) => run.interrupt()));
  }

  #begin(record: RunRecord, place: ReturnType<WorkflowPlaces["hold"]>, resumed: boolean): void {
    const { callbacks, clock } = this.#options;
    const { user, providers } = record.run;
    const { plan } = record;
    const run = new WorkflowRun({
      plan,
      record,
      place,
      callbacks: callbacks(user),
      clock,
      providers,
    });
    this.#live.set(record.key, { record, run });
    void run.ended.then(() => this.#ended(record));
    run.start(resumed);
    this.#options.onChange?.();
  }

  #ended(record: RunRecord): void {
    this.#live.delete(record.key);
    this.#options.onChange?.();
    const { user, vmId, status, error } = record.run;
    const channel = record.plan.notifyChannel;
    if (status !== "failed" || channel === undefined || this.#options.notices === undefined) return;
    const text = `Workflow ${record.plan.workflow} failed: ${error ?? ""}`;
    this.#options.notices.tell(user, vmId, channel, text).catch((reason: unknown) => {
      const facts = { reason: reason instanceof Error ? reason.message : "unknown" };
      this.#options.log.warn(facts, "nobody could be told of a failed workflow");
    });
  }

  #recordOf(key: string, run: StoredWorkflowRun): RunRecord {
    const live = this.#live.get(key);
    if (live !== undefined) return live.record;
    return new RunRecord(key, run, planWorkflow(run.source, run.cwd), this.#options);
  }

  #assertRoom(): void {
    if (this.#isClosing) {
      const message = "the sidecar ends";
      throw new AgentOsError("CANCELLED", message, { operation: "workflow.run" });
    }
    const [capacity, waiting] = [RUN_LIMITS.runs, this.#live.size];
    if (waiting < capacity) return;
    const message = `${waiting} workflows run already`;
    throw new AgentOsError("POOL_EXHAUSTED", message, { limit: "workflows", capacity, waiting });
  }

  /** Ended runs that are past their time, or more than are kept. */
  #forgetOld(user: string): void {
    const ended = this.#options.store
      .list(user)
      .filter(({ key, run }) => run.endedAt !== null && !this.#live.has(key));
    for (const [index, { key, run }] of ended.entries()) {
      const { ttlMs } = run.facts;
      const isPast = ttlMs !== null && Date.parse(run.endedAt ?? "") + ttlMs < Date.now();
      if (isPast || index >= RUN_LIMITS.endedRuns) this.#options.store.remove(key);
    }
  }
}

function keyOf(user: string, runId: string): string {
  return `${user}/${runId}`;
}

function unknown(kind: string, id: string): AgentOsError<"NOT_FOUND"> {
  return new AgentOsError("NOT_FOUND", `there is no ${kind} ${id}`, { kind, id });
}
