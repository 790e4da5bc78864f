import type {
  StoredWorkflowRun,
  StoredWorkflowStep,
  WorkflowStore,
  WorkflowWrite,
} from "@agentos/core";
import type { WorkflowEvent } from "@agentos/protocol";

interface Kept {
  run: StoredWorkflowRun;
  readonly steps: Map<string, StoredWorkflowStep>;
  readonly events: WorkflowEvent[];
}

/** Runs in memory; what a test keeps of it is what another life finds. */
export class MemoryWorkflowStore implements WorkflowStore {
  readonly #kept = new Map<string, Kept>();

  add(key: string, run: StoredWorkflowRun): void {
    this.#kept.set(key, { run, steps: new Map(), events: [] });
  }

  write(key: string, { events = [], change = {}, steps = [] }: WorkflowWrite): void {
    const kept = this.#of(key);
    kept.events.push(...events);
    for (const step of steps) kept.steps.set(step.name, step);
    kept.run = { ...kept.run, ...change, lastSeq: events.at(-1)?.seq ?? kept.run.lastSeq };
  }

  remove(key: string): void {
    this.#kept.delete(key);
  }

  find(key: string): StoredWorkflowRun | undefined {
    return this.#kept.get(key)?.run;
  }

  list(user: string): { key: string; run: StoredWorkflowRun }[] {
    return this.#all()
      .filter(({ run }) => run.user === user)
      .toReversed();
  }

  open(): { key: string; run: StoredWorkflowRun }[] {
    return this.#all().filter(({ run }) => ["pending", "running", "paused"].includes(run.status));
  }

  steps(key: string): StoredWorkflowStep[] {
    return [...(this.#kept.get(key)?.steps.values() ?? [])];
  }

  events(key: string, { after, limit }: { after: number; limit: number }): WorkflowEvent[] {
    return this.#of(key)
      .events.filter(({ seq }) => seq > after)
      .slice(0, limit);
  }

  /** As it is now, for another life. */
  copy(): MemoryWorkflowStore {
    const other = new MemoryWorkflowStore();
    for (const [key, { run, steps, events }] of this.#kept)
      other.#kept.set(key, { run, steps: new Map(steps), events: [...events] });
    return other;
  }

  #all(): { key: string; run: StoredWorkflowRun }[] {
    return [...this.#kept].map(([key, { run }]) => ({ key, run }));
  }

  #of(key: string): Kept {
    const kept = this.#kept.get(key);
    if (kept === undefined) throw new Error(`no run ${key} is stored`);
    return kept;
  }
}
