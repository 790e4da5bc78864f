import type { Clock, WorkflowAgentHandle } from "@agentos/core";

import type { PlannedAgent, WorkflowPlan } from "../plan/workflow-plan.ts";
import { StepFailure } from "./step-failure.ts";

const NUDGE = "Are you still working on it? If you are done, end with your result; if not, go on.";

export interface IdleWatchOptions {
  readonly plan: WorkflowPlan;
  readonly agent: PlannedAgent;
  readonly handle: WorkflowAgentHandle;
  readonly clock: Clock;
  readonly onNudge: (count: number) => void;
  readonly onReleased: () => void;
}

/**
 * Looks after an agent that says nothing: reminds it, and gives it up after the last reminder. Where silence
 * counts as done, it ends with that instead.
 */
export class IdleWatch implements Disposable {
  readonly #options: IdleWatchOptions;
  readonly #over = Promise.withResolvers<"done">();
  #nudges = 0;
  #cancel: () => void = () => undefined;
  #isOver = false;

  constructor(options: IdleWatchOptions) {
    this.#options = options;
    // Who has the answer already does not look.
    this.#over.promise.catch(() => undefined);
    this.active();
  }

  /** Resolves where silence means done. Rejects once the agent is given up. */
  get over(): Promise<"done"> {
    return this.#over.promise;
  }

  /** A sign of life: the silence begins anew. */
  readonly active = (): void => {
    const { plan, agent } = this.#options;
    if (plan.idleIsDone && agent.idleMs > 0)
      this.#after(agent.idleMs, () => this.#over.resolve("done"));
    else if (plan.idleNudge !== undefined && this.#nudges === 0)
      this.#after(plan.idleNudge.nudgeAfterMs, () => this.#due());
    // Reminded already, it is not left alone for a single word: only its turn's end stops the count.
    else if (plan.idleNudge !== undefined)
      this.#after(plan.idleNudge.escalateAfterMs, () => this.#due());
  };

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#cancel();
  }

  #due(): void {
    const { plan, handle, onNudge, onReleased } = this.#options;
    const { maxNudges = 0, escalateAfterMs = 0 } = plan.idleNudge ?? {};
    if (this.#nudges >= maxNudges) {
      onReleased();
      const count = `${this.#nudges} ${this.#nudges === 1 ? "reminder" : "reminders"}`;
      this.#over.reject(new StepFailure(`the agent did not end, after ${count} it was released`));
      return;
    }
    this.#nudges += 1;
    onNudge(this.#nudges);
    // One that takes no word is no less silent for it.
    handle.nudge(NUDGE).catch(() => undefined);
    this.#after(escalateAfterMs, () => this.#due());
  }

  #after(ms: number, callback: () => void): void {
    this.#cancel();
    if (!this.#isOver) this.#cancel = this.#options.clock.after(ms, callback);
  }
}
