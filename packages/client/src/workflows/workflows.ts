import { randomUUID } from "node:crypto";

import type { WorkflowReport, WorkflowRunSummary } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { withKey } from "../sessions/provider-key.ts";
import type { WorkflowFunctions } from "./define-workflow.ts";
import {
  functionsOf,
  type Providers,
  sourceOf,
  type WorkflowCheckOptions,
  type WorkflowInput,
  type WorkflowRunOptions,
} from "./workflow-options.ts";
import { WorkflowRun } from "./workflow-run.ts";

/** The workflows of a VM's user. */
export class Workflows {
  readonly #admin: VmAdmin;

  constructor(admin: VmAdmin) {
    this.#admin = admin;
  }

  /** What a workflow would do, without doing anything. Rejects with `INVALID_ARGUMENT` where it is none. */
  async check(input: WorkflowInput, options: WorkflowCheckOptions = {}): Promise<WorkflowReport> {
    return await this.#admin.request("workflow.check", { source: sourceOf(input, options) });
  }

  /** Starts a workflow in the VM; resolves once it is stored. Rejects with what keeps it from running. */
  async run(input: WorkflowInput, options: WorkflowRunOptions = {}): Promise<WorkflowRun> {
    const { id = `run-${randomUUID()}`, cwd } = options;
    const source = sourceOf(input, options);
    const { agents } = await this.#admin.request("workflow.check", { source });
    const providers = providersOf(agents, options.providers ?? {});
    const run = new WorkflowRun(this.#admin, id, functionsOf(input, options));
    await this.#admin.request("workflow.run", {
      ...this.#admin.scope,
      runId: id,
      source,
      ...(cwd === undefined ? {} : { cwd }),
      ...(Object.keys(providers).length === 0 ? {} : { providers }),
    });
    await run.bind();
    return run;
  }

  /** A run that is known, to be watched and resumed in this VM. Rejects with `NOT_FOUND`. */
  async get(id: string, functions: WorkflowFunctions = {}): Promise<WorkflowRun> {
    await this.#admin.request("workflow.show", { runId: id });
    const none = { text: "" };
    const run = new WorkflowRun(this.#admin, id, functionsOf(none, functions));
    await run.bind();
    return run;
  }

  /** The user's runs, the last one first; `here`: those of this VM. */
  async list(
    options: { readonly here?: boolean; readonly namespace?: string } = {},
  ): Promise<WorkflowRunSummary[]> {
    const { here = false, namespace } = options;
    const params = {
      ...(here ? { vmId: this.#admin.vmId } : {}),
      ...(namespace === undefined ? {} : { namespace }),
    };
    return (await this.#admin.request("workflow.list", params)).runs;
  }
}

/** What is given, and for the runtimes of the agents what this program's environment has. */
function providersOf(
  agents: readonly { readonly runtime: string }[],
  given: NonNullable<WorkflowRunOptions["providers"]>,
): Providers {
  const found: Providers = {};
  for (const [name, option] of Object.entries(given)) {
    const provider = withKey(name, option, process.env);
    if (provider !== undefined) found[name] = provider;
  }
  for (const { runtime } of agents) {
    if (Object.hasOwn(found, runtime)) continue;
    const provider = withKey(runtime, undefined, process.env);
    if (provider !== undefined && !Object.hasOwn(found, "*")) found[runtime] = provider;
  }
  return found;
}
