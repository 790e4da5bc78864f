import type {
  MethodName,
  MethodParams,
  MethodResult,
  WorkflowReport,
  WorkflowRunInfo,
  WorkflowRunSummary,
  WorkflowStepInfo,
} from "@agentos/protocol";

import type { SidecarCore } from "../sidecar/sidecar-core.ts";
import { sourceOf, type WorkflowCheckOptions, type WorkflowInput } from "./workflow-options.ts";

export type WorkflowTemplate = MethodResult<"workflow.templates">["templates"][number];

/** The user's workflow runs on a sidecar, without holding a VM. */
export class PoolWorkflows {
  readonly #core: SidecarCore;
  readonly #signal: AbortSignal | undefined;

  constructor(core: SidecarCore, signal: AbortSignal | undefined) {
    this.#core = core;
    this.#signal = signal;
  }

  /** What a workflow would do, without doing anything. Rejects with `INVALID_ARGUMENT` where it is none. */
  async check(input: WorkflowInput, options: WorkflowCheckOptions = {}): Promise<WorkflowReport> {
    return await this.#ask("workflow.check", { source: sourceOf(input, options) });
  }

  /** The runs, the last one first. */
  async list(options: { readonly namespace?: string } = {}): Promise<WorkflowRunSummary[]> {
    return (await this.#ask("workflow.list", options)).runs;
  }

  /** Rejects with `NOT_FOUND`. */
  async info(id: string): Promise<WorkflowRunInfo> {
    return await this.#ask("workflow.show", { runId: id });
  }

  /** One step with all of its output that is kept. Rejects with `NOT_FOUND`. */
  async step(id: string, name: string): Promise<WorkflowStepInfo> {
    return await this.#ask("workflow.step", { runId: id, step: name });
  }

  /** Starts no further step of a run. */
  async pause(id: string): Promise<WorkflowRunSummary> {
    return await this.#ask("workflow.pause", { runId: id });
  }

  /** Ends a run, its agents and commands too. */
  async abort(id: string): Promise<WorkflowRunSummary> {
    return await this.#ask("workflow.abort", { runId: id });
  }

  /** The workflows that come with AgentOS. */
  async templates(): Promise<WorkflowTemplate[]> {
    return (await this.#ask("workflow.templates", {})).templates;
  }

  async #ask<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>> {
    return await this.#core.ask(method, params, { signal: this.#signal });
  }
}
