import type {
  MethodName,
  MethodParams,
  MethodResult,
  WorkflowEvent,
  WorkflowRunInfo,
  WorkflowRunSummary,
  WorkflowStepInfo,
} from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { BoundFunctions, type SessionFunction } from "../sessions/session-functions.ts";

/** The sidecar answers with what there is, or with nothing after this. */
const WAIT_MS = 30_000;

/** One run of a workflow. To be iterated for its events, or awaited by `result()`. It runs either way. */
export class WorkflowRun implements AsyncIterable<WorkflowEvent> {
  readonly id: string;
  readonly #admin: VmAdmin;
  readonly #functions: BoundFunctions;

  constructor(admin: VmAdmin, runId: string, functions: ReadonlyMap<string, SessionFunction>) {
    this.id = runId;
    this.#admin = admin;
    this.#functions = new BoundFunctions(admin, runId, functions, "workflow");
  }

  /** Events from the first one, or after a seq, until the run ends or is paused. */
  async *events(
    options: { readonly after?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<WorkflowEvent, void, undefined> {
    for (let after = options.after ?? 0; ;) {
      const params = { runId: this.id, after, waitMs: WAIT_MS };
      // oxlint-disable-next-line no-await-in-loop -- The next batch is what this waits for.
      const batch = await this.#admin.request("workflow.events", params, {
        signal: options.signal,
        deadlineMs: null,
      });
      for (const event of batch.events) {
        after = event.seq;
        yield event;
      }
      if (batch.ended) return;
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<WorkflowEvent, void, undefined> {
    return this.events();
  }

  /** How it ended, or that it was paused. A run that fails does not reject. */
  async result(options: { readonly signal?: AbortSignal } = {}): Promise<WorkflowRunInfo> {
    let last = 0;
    for await (const event of this.events(options)) last = event.seq;
    const info = await this.info();
    // Somebody resumed it just now.
    return info.lastSeq === last ? info : await this.result(options);
  }

  async info(): Promise<WorkflowRunInfo> {
    return await this.#ask("workflow.show", { runId: this.id });
  }

  /** One step with all of its output that is kept. Rejects with `NOT_FOUND`. */
  async step(name: string): Promise<WorkflowStepInfo> {
    return await this.#ask("workflow.step", { runId: this.id, step: name });
  }

  /** Starts no further step. What runs goes on. */
  async pause(): Promise<WorkflowRunSummary> {
    return await this.#ask("workflow.pause", { runId: this.id });
  }

  /** Goes on in this VM with what has not finished. */
  async resume(): Promise<WorkflowRunSummary> {
    return await this.#ask("workflow.resume", { ...this.#admin.scope, runId: this.id });
  }

  /** Ends it, its agents and commands too. */
  async abort(): Promise<WorkflowRunSummary> {
    return await this.#ask("workflow.abort", { runId: this.id });
  }

  /** Tells the sidecar that this program has the run's functions. */
  async bind(): Promise<void> {
    await this.#functions.bind();
  }

  async #ask<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>> {
    return await this.#admin.request(method, params);
  }
}
