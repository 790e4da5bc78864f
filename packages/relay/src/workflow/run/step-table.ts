import type { PlannedBarrier, PlannedStep, WorkflowPlan } from "../plan/workflow-plan.ts";
import type { RunRecord } from "./run-record.ts";

/** What may be done with a step now. */
export type NextMove =
  | { readonly move: "wait" }
  | { readonly move: "start" }
  | { readonly move: "skip"; readonly reason: string };

/** What a step or barrier is to those that depend on it. */
type Standing = "open" | "done" | "lost";

const WAIT: NextMove = { move: "wait" };

/** What each step's state means for the others. */
export class StepTable {
  readonly #plan: WorkflowPlan;
  readonly #record: RunRecord;
  readonly #barriers: ReadonlyMap<string, PlannedBarrier>;
  /** By the step whose failure they are for. */
  readonly #fallbacks = new Map<string, PlannedStep>();

  constructor(plan: WorkflowPlan, record: RunRecord) {
    this.#plan = plan;
    this.#record = record;
    this.#barriers = new Map(plan.barriers.map((barrier) => [barrier.name, barrier]));
    for (const step of plan.steps)
      if (step.fallbackFor !== undefined) this.#fallbacks.set(step.fallbackFor, step);
  }

  /** Steps that nothing has been done with. */
  get pending(): PlannedStep[] {
    return this.#plan.steps.filter(({ name }) => this.#record.step(name).status === "pending");
  }

  nextMove(step: PlannedStep): NextMove {
    if (step.fallbackFor !== undefined) return this.#fallbackMove(step.fallbackFor);
    const before = step.dependsOn.map((name) => [name, this.#standing(name)] as const);
    const lost = before.find(([, standing]) => standing === "lost");
    if (lost !== undefined) return { move: "skip", reason: `${lost[0]} did not complete` };
    return before.every(([, standing]) => standing === "done") ? { move: "start" } : WAIT;
  }

  /** Barriers whose steps have all completed. */
  get reached(): PlannedBarrier[] {
    return this.#plan.barriers.filter(({ name }) => this.#standing(name) === "done");
  }

  /** A failure that no fallback makes good, or may yet. */
  get failure(): PlannedStep | undefined {
    return this.#plan.steps.find(
      ({ name }) => this.#record.step(name).status === "failed" && this.#standing(name) === "lost",
    );
  }

  #fallbackMove(of: string): NextMove {
    const { status } = this.#record.step(of);
    if (status === "failed") return { move: "start" };
    if (status === "completed" || status === "skipped")
      return { move: "skip", reason: `${of} made it needless` };
    return WAIT;
  }

  #standing(name: string): Standing {
    const barrier = this.#barriers.get(name);
    if (barrier !== undefined) {
      const all = barrier.waitFor.map((step) => this.#standing(step));
      if (all.includes("lost")) return "lost";
      return all.includes("open") ? "open" : "done";
    }
    const { status } = this.#record.step(name);
    if (status === "completed") return "done";
    if (status === "pending" || status === "running") return "open";
    const fallback = this.#fallbacks.get(name);
    if (fallback === undefined)
      return status === "skipped" && this.#wasNeedless(name) ? "done" : "lost";
    return status === "failed" ? this.#standing(fallback.name) : "done";
  }

  /** A fallback that was not needed keeps nobody waiting. */
  #wasNeedless(name: string): boolean {
    const step = this.#plan.steps.find((each) => each.name === name);
    return (
      step?.fallbackFor !== undefined && this.#record.step(step.fallbackFor).status !== "failed"
    );
  }
}
