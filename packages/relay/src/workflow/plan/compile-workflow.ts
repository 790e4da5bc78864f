import {
  AgentOsError,
  CustomSteps,
  DEFAULTS,
  parseArgument,
  parseWorkflow,
  type WorkflowDefinition,
  type WorkflowSource,
  type WorkflowStep,
} from "@agentos/protocol";

import { autoPattern } from "../patterns/auto-pattern.ts";
import { type PatternName, shapeOf, type StepEdge } from "../patterns/shape-of.ts";
import type { Shape } from "../patterns/shape.ts";
import { templateText } from "../templates/templates.ts";
import { checkPlan } from "./check-plan.ts";
import { planAgents } from "./plan-agents.ts";
import { planSteps } from "./plan-steps.ts";
import { readText } from "./read-text.ts";
import { stepsOfShape } from "./steps-of-shape.ts";
import type { PlannedAgent, WorkflowPlan } from "./workflow-plan.ts";

const DEFAULT_CWD = "/workspace";
/** Share of approvals that a quorum needs. */
const SUPERMAJORITY = 0.67;

export interface CompiledWorkflow {
  readonly plan: WorkflowPlan;
  /** What keeps it from running. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

interface Chosen {
  readonly name: string;
  readonly workflow: NonNullable<WorkflowDefinition["workflows"]>[number] | undefined;
}

/** What a source would do. Throws `INVALID_ARGUMENT` where it is no workflow at all. */
export function compileWorkflow(source: WorkflowSource, cwd = DEFAULT_CWD): CompiledWorkflow {
  const errors: string[] = [];
  const definition = definitionOf(source);
  const chosen = choose(definition, source.name);
  const agents = planAgents(definition, cwd, errors);
  const pattern = patternOf(definition, chosen, agents);
  const shape = shapeOf(pattern, agents, edgesOf(chosen.workflow?.steps ?? []));
  const { steps, fallbacks } =
    chosen.workflow === undefined
      ? stepsOfShape(definition, shape)
      : { steps: chosen.workflow.steps, fallbacks: new Map<string, string>() };
  const planned = planSteps(steps, {
    definition,
    agents: new Map(agents.map((agent) => [agent.name, agent])),
    customSteps: customStepsOf(source),
    functions: new Set(source.functions),
    fallbacks,
    cwd,
    retries: retriesOf(definition, chosen),
    errors,
  });
  const plan: WorkflowPlan = {
    ...factsOf(definition, chosen),
    pattern,
    topology: topologyOf(shape),
    agents,
    steps: planned,
    vars: new Map(Object.entries(source.vars ?? {})),
    cwd,
  };
  if (steps.length === 0) errors.push("it has no workflows, and no agent has a task");
  const checked = checkPlan(plan);
  return {
    plan,
    errors: [...errors, ...checked.errors],
    warnings: checked.warnings,
  };
}

/** The plan. Throws `INVALID_ARGUMENT` with everything that keeps it from running. */
export function planWorkflow(source: WorkflowSource, cwd?: string): WorkflowPlan {
  const { plan, errors } = compileWorkflow(source, cwd);
  if (errors.length === 0) return plan;
  const actual = errors.join("; ");
  const message = `workflow: expected one that can run, got: ${actual}`;
  const details = { argument: "workflow", expected: "a workflow that can run", actual };
  throw new AgentOsError("INVALID_ARGUMENT", message, details);
}

function definitionOf({ workflow }: WorkflowSource): WorkflowDefinition {
  if ("definition" in workflow) return workflow.definition;
  if ("text" in workflow) return parseWorkflow(readText(workflow.text, "workflow"));
  return parseWorkflow(readText(templateText(workflow.template), workflow.template));
}

function customStepsOf({ customSteps }: WorkflowSource): CustomSteps {
  if (customSteps === undefined) return { steps: {} };
  if ("definition" in customSteps) return customSteps.definition;
  return parseArgument(CustomSteps, readText(customSteps.text, "customSteps"), "customSteps");
}

function choose({ workflows, name }: WorkflowDefinition, asked: string | undefined): Chosen {
  if (workflows === undefined && asked === undefined) return { name, workflow: undefined };
  const workflow = workflows?.find((each) => asked === undefined || each.name === asked);
  if (workflow !== undefined) return { name: workflow.name, workflow };
  const known = (workflows ?? []).map((each) => each.name).join(", ");
  const expected = known === "" ? "no name: there are no workflows" : `one of ${known}`;
  const message = `name: expected ${expected}, got ${asked}`;
  const details = { argument: "name", expected, actual: String(asked) };
  throw new AgentOsError("INVALID_ARGUMENT", message, details);
}

function patternOf(
  { swarm, coordination }: WorkflowDefinition,
  { workflow }: Chosen,
  members: readonly PlannedAgent[],
): PatternName {
  if (swarm.pattern !== "auto") return swarm.pattern;
  const steps = workflow?.steps ?? [];
  return autoPattern({
    members,
    hasDependencies: steps.some(({ dependsOn = [] }) => dependsOn.length > 0),
    hasConsensus: coordination?.consensusStrategy !== undefined,
    stepAgents: steps.flatMap((step) => ("agent" in step ? [step.agent] : [])),
  });
}

function edgesOf(steps: readonly WorkflowStep[]): StepEdge[] {
  const agentOf = new Map(
    steps.flatMap((step) => ("agent" in step ? [[step.name, step.agent] as const] : [])),
  );
  return steps.flatMap((step) => {
    const to = agentOf.get(step.name);
    return (step.dependsOn ?? []).flatMap((before) => {
      const from = agentOf.get(before);
      return from === undefined || to === undefined ? [] : [{ from, to }];
    });
  });
}

function topologyOf({ hub, edges }: Shape): WorkflowPlan["topology"] {
  const copies = Object.entries(edges).map(([name, to]) => [name, [...to]]);
  return { hub, edges: Object.fromEntries(copies) };
}

function retriesOf({ errorHandling = {} }: WorkflowDefinition, { workflow }: Chosen): number {
  const { strategy, maxRetries } = errorHandling;
  const isRetried = strategy === "retry" || workflow?.onError === "retry";
  return maxRetries ?? (isRetried ? DEFAULTS.workflowRetries : 0);
}

function factsOf(
  definition: WorkflowDefinition,
  { name: workflowName, workflow }: Chosen,
): Omit<WorkflowPlan, "pattern" | "topology" | "agents" | "steps" | "vars" | "cwd"> {
  const { name, description, swarm, coordination = {}, state, errorHandling = {} } = definition;
  const { consensusStrategy: strategy = "majority", votingThreshold, voteWeights } = coordination;
  const { idleNudge } = swarm;
  const goesOn =
    workflow?.onError === undefined
      ? errorHandling.strategy === "continue"
      : workflow.onError === "skip";
  return {
    name,
    workflow: workflowName,
    description: workflow?.description ?? description ?? null,
    namespace: state?.namespace ?? null,
    barriers: (coordination.barriers ?? []).map((barrier) => ({
      timeoutMs: undefined,
      ...barrier,
    })),
    preflight: workflow?.preflight ?? [],
    maxConcurrency: swarm.maxConcurrency ?? DEFAULTS.workflowConcurrency,
    retryDelayMs: errorHandling.retryDelayMs ?? DEFAULTS.workflowRetryDelayMs,
    failFast: !goesOn,
    consensus: {
      strategy,
      threshold: votingThreshold ?? (strategy === "quorum" ? SUPERMAJORITY : undefined),
      weights: new Map(Object.entries(voteWeights ?? {})),
      expiryMs: coordination.voteExpiryMs ?? DEFAULTS.voteExpiryMs,
    },
    idleNudge: idleNudge && {
      nudgeAfterMs: idleNudge.nudgeAfterMs ?? DEFAULTS.nudgeAfterMs,
      escalateAfterMs: idleNudge.escalateAfterMs ?? DEFAULTS.nudgeAfterMs,
      maxNudges: idleNudge.maxNudges ?? 1,
    },
    idleIsDone: swarm.idleIsDone ?? false,
    notifyChannel: errorHandling.notifyChannel,
    ttlMs: state?.ttlMs,
  };
}
