import {
  type CustomSteps,
  DEFAULTS,
  type WorkflowDefinition,
  type WorkflowStep,
} from "@agentos/protocol";

import { expandCustom } from "./expand-custom.ts";
import type { PlannedAgent, PlannedStep } from "./workflow-plan.ts";

export interface StepsContext {
  readonly definition: WorkflowDefinition;
  readonly agents: ReadonlyMap<string, PlannedAgent>;
  readonly customSteps: CustomSteps;
  /** Functions that the client runs. */
  readonly functions: ReadonlySet<string>;
  /** A step that runs only where another one failed. */
  readonly fallbacks: ReadonlyMap<string, string>;
  readonly cwd: string;
  /** Tries after the first that a step has which says nothing, and whose agent says nothing. */
  readonly retries: number;
  readonly errors: string[];
}

/** The steps with their defaults. Those that can't be planned are left out, and `errors` says why. */
export function planSteps(steps: readonly WorkflowStep[], context: StepsContext): PlannedStep[] {
  const names = new Set<string>();
  return steps.flatMap((step) => {
    if (names.has(step.name)) context.errors.push(`step ${step.name} is there twice`);
    names.add(step.name);
    return planStep(step, context);
  });
}

function planStep(step: WorkflowStep, context: StepsContext): PlannedStep[] {
  assertVerification(step, context);
  if (!("use" in step)) return planOwn(step, step.type ?? "agent", context);
  const expanded = expandCustom(step, context.customSteps, context.errors);
  if (expanded !== undefined) return planOwn(expanded, "custom", context);
  const { use, params = {} } = step;
  if (!context.functions.has(use)) {
    context.errors.push(`step ${step.name}: nothing defines ${use}`);
    return [];
  }
  const values = Object.entries(params).map(([name, value]) => [name, String(value)]);
  const common = commonOf(step, "custom", undefined, context);
  return [{ ...common, kind: "function", use, params: Object.fromEntries(values) }];
}

function planOwn(
  step: Exclude<WorkflowStep, { use: string }>,
  type: PlannedStep["type"],
  context: StepsContext,
): PlannedStep[] {
  if (step.type === "deterministic") {
    const { command, failOnError = true, captureOutput = true } = step;
    const common = commonOf(step, type, undefined, context);
    return [{ ...common, kind: "command", command, failOnError, captureOutput }];
  }
  if (step.type === "worktree") {
    const { branch, baseBranch = "HEAD", createBranch = true } = step;
    const { path = `.worktrees/${step.name}` } = step;
    const common = commonOf(step, type, undefined, context);
    return [{ ...common, kind: "worktree", branch, baseBranch, path, createBranch }];
  }
  const agent = agentOf(step.agent, step.name, context);
  if (agent === undefined) return [];
  const reviewers = (step.reviewers ?? []).flatMap(
    (name) => agentOf(name, step.name, context) ?? [],
  );
  const { task, maxIterations = reviewers.length > 0 ? DEFAULTS.workflowIterations : 1 } = step;
  const common = commonOf(step, type, agent, context);
  return [{ ...common, kind: "agent", agent, task, maxIterations, reviewers }];
}

/** What every step has: its own word, then its agent's, then the workflow's. */
function commonOf(
  step: WorkflowStep,
  type: PlannedStep["type"],
  agent: PlannedAgent | undefined,
  { definition, fallbacks, cwd, retries }: StepsContext,
): Omit<PlannedStep, "kind"> {
  const { constraints } = definition.agents?.find(({ name }) => name === agent?.name) ?? {};
  return {
    name: step.name,
    type,
    dependsOn: step.dependsOn ?? [],
    fallbackFor: fallbacks.get(step.name),
    timeoutMs: step.timeoutMs ?? constraints?.timeoutMs ?? definition.swarm.timeoutMs,
    retries: step.retries ?? constraints?.retries ?? retries,
    cwd: step.cwd ?? agent?.cwd ?? cwd,
    verification: step.verification,
  };
}

function agentOf(
  name: string,
  step: string,
  { agents, errors }: StepsContext,
): PlannedAgent | undefined {
  const agent = agents.get(name);
  if (agent === undefined) errors.push(`step ${step}: there is no agent ${name}`);
  return agent;
}

function assertVerification({ name, verification }: WorkflowStep, context: StepsContext): void {
  if (verification?.type !== "custom") return;
  const { value, use } = verification;
  if ((value === undefined) === (use === undefined))
    context.errors.push(`step ${name}: a custom verification has either value or use`);
  if (use !== undefined && !context.functions.has(use))
    context.errors.push(`step ${name}: nothing defines ${use}`);
}
