import type { WorkflowHappening } from "@agentos/protocol";

import type { PlannedStep } from "../plan/workflow-plan.ts";
import { runPreflight } from "./preflight.ts";
import type { RunContext, StepOutcome } from "./run-context.ts";
import { RUN_LIMITS } from "./run-limits.ts";
import { runStep } from "./run-step.ts";
import { messageOf } from "./step-failure.ts";
import { StepTable } from "./step-table.ts";

type Ending = "completed" | "failed" | "cancelled" | "interrupted";
type State = "running" | "pausing" | "ending" | "ended";

/** One run while it runs: which steps start, what their ends mean, and how the run ends. */
export class WorkflowRun {
  /** Resolves once nothing of it runs, its end written. Never rejects. */
  readonly ended: Promise<void>;
  readonly #context: RunContext;
  readonly #table: StepTable;
  readonly #life = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  readonly #reached = new Set<string>();
  readonly #timers: (() => void)[] = [];
  readonly #end = Promise.withResolvers<void>();
  #state: State = "running";
  #ending: { status: Ending; error: string | null } | undefined;

  constructor(context: RunContext) {
    this.#context = context;
    this.#table = new StepTable(context.plan, context.record);
    this.ended = this.#end.promise;
  }

  /** Begins, or goes on with what is left. */
  start(resumed: boolean): void {
    const { record, place, plan, clock } = this.#context;
    const change = { status: "running", error: null, endedAt: null } as const;
    record.write({ change, events: [{ type: "run_started", resumed }] });
    for (const { name } of this.#table.reached) this.#reached.add(name);
    void place.lost.then((reason) => this.#stop("failed", messageOf(reason)));
    for (const { name, timeoutMs } of plan.barriers)
      if (timeoutMs !== undefined)
        this.#timers.push(clock.after(timeoutMs, () => this.#barrierLate(name, timeoutMs)));
    void this.#begin(resumed);
  }

  /** Starts no further step. It has ended when what runs has. */
  pause(): void {
    if (this.#state !== "running") return;
    this.#state = "pausing";
    this.#write({ type: "run_paused" }, "paused");
    this.#pump();
  }

  /** Takes a pause back that has not ended it yet. */
  goOn(): boolean {
    if (this.#state !== "pausing") return false;
    this.#state = "running";
    this.#write({ type: "run_continued" }, "running");
    this.#pump();
    return true;
  }

  /** Ends everything that runs. */
  async abort(): Promise<void> {
    this.#stop("cancelled", null);
    await this.ended;
  }

  /** Its sidecar ends: it can go on in another life. */
  async interrupt(): Promise<void> {
    this.#stop("interrupted", null);
    await this.ended;
  }

  async #begin(resumed: boolean): Promise<void> {
    if (!resumed) {
      try {
        const preflight = runPreflight(this.#context, this.#life.signal);
        this.#running.set("", preflight);
        await preflight;
      } catch (error) {
        this.#stop("failed", messageOf(error));
      }
      this.#running.delete("");
    }
    this.#pump();
  }

  /** Starts what may start; ends the run where nothing is left. */
  #pump(): void {
    if (this.#state === "ended") return;
    if (this.#state === "running") this.#advance();
    if (this.#running.size > 0) return;
    if (this.#state === "running") this.#settle();
    this.#finish();
  }

  #advance(): void {
    this.#tellBarriers();
    // A step that is skipped may decide over those before it in the list.
    for (let isChanged = true; isChanged;) {
      isChanged = false;
      for (const step of this.#table.pending) {
        const next = this.#table.nextMove(step);
        if (next.move === "wait") continue;
        if (next.move === "start" && this.#running.size >= this.#context.plan.maxConcurrency)
          continue;
        if (next.move === "start") this.#start(step);
        else this.#skip(step, next.reason);
        isChanged = true;
      }
    }
  }

  #start(step: PlannedStep): void {
    const { record } = this.#context;
    const { name } = step;
    const agent = step.kind === "agent" ? step.agent.name : null;
    const startedAt = new Date().toISOString();
    const stored = { ...record.step(name), status: "running", startedAt } as const;
    record.write({ steps: [stored], events: [{ type: "step_started", step: name, agent }] });
    this.#running.set(name, this.#run(step));
  }

  async #run(step: PlannedStep): Promise<void> {
    const { name } = step;
    try {
      this.#completed(name, await runStep(step, this.#context, this.#life.signal));
    } catch (error) {
      if (this.#life.signal.aborted) this.#unfinished(name);
      else this.#failed(name, messageOf(error));
    } finally {
      this.#running.delete(name);
      this.#pump();
    }
  }

  #completed(name: string, { output }: StepOutcome): void {
    const { record } = this.#context;
    const kept = output.slice(0, RUN_LIMITS.outputCharacters);
    const stored = {
      ...record.step(name),
      status: "completed",
      output: kept,
      truncated: kept.length < output.length,
      error: null,
      endedAt: new Date().toISOString(),
    } as const;
    const shown = kept.slice(0, RUN_LIMITS.shownCharacters);
    record.write({
      steps: [stored],
      events: [{ type: "step_completed", step: name, output: shown }],
    });
  }

  #failed(name: string, error: string): void {
    const { record, plan } = this.#context;
    const endedAt = new Date().toISOString();
    const stored = { ...record.step(name), status: "failed", error, endedAt } as const;
    record.write({ steps: [stored], events: [{ type: "step_failed", step: name, error }] });
    if (!plan.failFast) return;
    const failure = this.#table.failure;
    if (failure !== undefined) this.#stop("failed", this.#failureText(failure));
  }

  /** It was ended with the run: as if it had not begun, so that the run can be resumed. */
  #unfinished(name: string): void {
    const { record } = this.#context;
    const stored = { ...record.step(name), status: "pending", startedAt: null } as const;
    record.write({ steps: [stored] });
  }

  #skip({ name }: PlannedStep, reason: string): void {
    const { record } = this.#context;
    const endedAt = new Date().toISOString();
    const stored = { ...record.step(name), status: "skipped", error: reason, endedAt } as const;
    record.write({ steps: [stored], events: [{ type: "step_skipped", step: name, reason }] });
  }

  #tellBarriers(): void {
    for (const { name } of this.#table.reached) {
      if (this.#reached.has(name)) continue;
      this.#reached.add(name);
      this.#context.record.write({ events: [{ type: "barrier_reached", barrier: name }] });
    }
  }

  #barrierLate(name: string, timeoutMs: number): void {
    if (this.#reached.has(name)) return;
    this.#stop("failed", `barrier ${name} was not reached within ${timeoutMs} ms`);
  }

  #failureText({ name }: PlannedStep): string {
    return `step ${name} failed: ${this.#context.record.step(name).error ?? ""}`;
  }

  /** Nothing runs and nothing can start. */
  #settle(): void {
    const failure = this.#table.failure;
    if (failure === undefined) this.#ending = { status: "completed", error: null };
    else this.#ending = { status: "failed", error: this.#failureText(failure) };
  }

  #stop(status: Ending, error: string | null): void {
    if (this.#state === "ended" || this.#ending !== undefined) return;
    this.#ending = { status, error };
    this.#state = "ending";
    this.#life.abort();
    this.#pump();
  }

  #finish(): void {
    const { record, place } = this.#context;
    this.#state = "ended";
    for (const cancel of this.#timers) cancel();
    const ending = this.#ending;
    // Without an ending it is only paused.
    if (ending !== undefined) {
      if (ending.status === "failed") this.#skipRest();
      const { status, error } = ending;
      const endedAt = new Date().toISOString();
      const event =
        status === "failed"
          ? { type: `run_failed` as const, error: error ?? "" }
          : { type: `run_${status}` as const };
      record.write({ change: { status, error, endedAt }, events: [event] });
    }
    place.release();
    this.#end.resolve();
  }

  #skipRest(): void {
    for (const step of this.#table.pending) this.#skip(step, "the run failed");
  }

  #write(event: WorkflowHappening, status: "paused" | "running"): void {
    this.#context.record.write({ change: { status }, events: [event] });
  }
}
