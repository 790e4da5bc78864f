import {
  AgentOsError,
  type CustomSteps,
  type SessionSpec,
  type WorkflowSource,
} from "@agentos/protocol";

import type { ProviderOption } from "../sessions/provider-key.ts";
import type { SessionFunction } from "../sessions/session-functions.ts";
import type { Workflow, WorkflowFunctions } from "./define-workflow.ts";

/** A workflow: defined in TypeScript, a file's text as YAML or JSON, or a template's name. */
export type WorkflowInput = Workflow | { readonly text: string } | { readonly template: string };

export interface WorkflowCheckOptions {
  /** Which of its workflows. Default the first. */
  readonly workflow?: string;
  /** What `{{name}}` stands for. */
  readonly vars?: Readonly<Record<string, string>>;
  /** What `use` names: definitions, or a file's text. */
  readonly customSteps?: CustomSteps | { readonly text: string };
}

export interface WorkflowRunOptions extends WorkflowCheckOptions, WorkflowFunctions {
  /** The run's id; default a new one. */
  readonly id?: string;
  /** Where relative paths begin. Default /workspace. */
  readonly cwd?: string;
  /** Where models are, by an agent's name, a runtime, or `*` for all. Without `apiKey` it is read from this program's environment. */
  readonly providers?: Readonly<Record<string, ProviderOption>>;
}

export type Providers = Record<string, NonNullable<SessionSpec["provider"]>>;

/** What the sidecar is told of a workflow. */
export function sourceOf(input: WorkflowInput, options: WorkflowRunOptions): WorkflowSource {
  const { workflow: name, vars, customSteps } = options;
  const functions = [...functionsOf(input, options).keys()];
  return {
    workflow: "definition" in input ? { definition: input.definition } : input,
    ...(name === undefined ? {} : { name }),
    ...(vars === undefined ? {} : { vars }),
    ...(customSteps === undefined ? {} : { customSteps: stepsOf(customSteps) }),
    ...(functions.length === 0 ? {} : { functions }),
  };
}

/** The functions of a workflow and of its run, as the sidecar asks them. */
export function functionsOf(
  input: WorkflowInput,
  options: WorkflowFunctions,
): Map<string, SessionFunction> {
  const own = "functions" in input ? input.functions : {};
  const found = new Map<string, SessionFunction>();
  for (const [name, run] of Object.entries({ ...own.steps, ...options.steps })) {
    found.set(name, async ({ ask, sessionId: runId }, signal) => {
      if (ask.kind !== "step") throw unexpected(name, ask.kind);
      const { step, attempt, params } = ask;
      return { kind: "step", output: (await run({ runId, step, attempt, params, signal })) ?? "" };
    });
  }
  for (const [name, verify] of Object.entries({ ...own.verifiers, ...options.verifiers })) {
    found.set(name, async ({ ask, sessionId: runId }, signal) => {
      if (ask.kind !== "verification") throw unexpected(name, ask.kind);
      const verdict = await verify(ask.output, { runId, step: ask.step, signal });
      const reason = typeof verdict === "string" ? { reason: verdict } : {};
      return { kind: "verification", passed: verdict === true, ...reason };
    });
  }
  return found;
}

function stepsOf(
  steps: NonNullable<WorkflowCheckOptions["customSteps"]>,
): NonNullable<WorkflowSource["customSteps"]> {
  return "text" in steps ? steps : { definition: steps };
}

function unexpected(callback: string, kind: string): AgentOsError<"CALLBACK_FAILED"> {
  const reason = `it was asked as a ${kind}`;
  return new AgentOsError("CALLBACK_FAILED", `${callback}: ${reason}`, { callback, reason });
}
