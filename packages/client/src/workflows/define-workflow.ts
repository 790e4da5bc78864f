import { parseWorkflow, type WorkflowDefinition } from "@agentos/protocol";

/** What a custom step of this program is asked with. */
export interface WorkflowStepContext {
  readonly runId: string;
  readonly step: string;
  /** 1 is the first try. */
  readonly attempt: number;
  readonly params: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A step that runs in this program; what it returns is the step's output. Throwing fails the step. */
export type WorkflowStepFunction = (
  context: WorkflowStepContext,
) => string | undefined | Promise<string | undefined>;

/** Says whether a step's output is what it should be: a text says why not. */
export type WorkflowVerifier = (
  output: string,
  context: { readonly runId: string; readonly step: string; readonly signal: AbortSignal },
) => boolean | string | Promise<boolean | string>;

export interface WorkflowFunctions {
  /** Steps by the name that `use` says. */
  readonly steps?: Readonly<Record<string, WorkflowStepFunction>>;
  /** Custom verifications by the name that their `use` says. */
  readonly verifiers?: Readonly<Record<string, WorkflowVerifier>>;
}

/** A workflow written in TypeScript. */
export interface Workflow {
  readonly definition: WorkflowDefinition;
  readonly functions: WorkflowFunctions;
}

/** A workflow, checked field by field. Throws `INVALID_ARGUMENT` that says which one is wrong. */
export function defineWorkflow(
  definition: WorkflowDefinition,
  functions: WorkflowFunctions = {},
): Workflow {
  return { definition: parseWorkflow(definition), functions };
}
