import { placeholdersOf } from "./fill-text.ts";
import { ancestorsOf, cycleOf, type GraphNode, wavesOf } from "./step-graph.ts";
import type { PlannedStep, WorkflowPlan } from "./workflow-plan.ts";

interface Findings {
  readonly errors: string[];
  readonly warnings: string[];
}

/** What is wrong with a plan as a whole, and what may not be meant so. */
export function checkPlan(plan: WorkflowPlan): Findings {
  const findings: Findings = { errors: [], warnings: [] };
  checkNames(plan, findings);
  checkOrder(plan, findings);
  for (const step of plan.steps) checkPlaceholders(step, plan, findings);
  checkPreflight(plan, findings);
  checkBounds(plan, findings);
  return findings;
}

/** Steps and barriers as one graph. */
export function graphOf({ steps, barriers }: WorkflowPlan): GraphNode[] {
  return [...steps, ...barriers.map(({ name, waitFor }) => ({ name, dependsOn: waitFor }))];
}

/** Every text of a step that may hold placeholders. */
function textsOf(step: PlannedStep): string[] {
  const { verification } = step;
  const value =
    verification !== undefined && "value" in verification ? verification.value : undefined;
  const common = [step.cwd, ...(typeof value === "string" ? [value] : [])];
  if (step.kind === "agent") return [...common, step.task];
  if (step.kind === "command") return [...common, step.command];
  if (step.kind === "worktree") return [...common, step.branch, step.baseBranch, step.path];
  return [...common, ...Object.values(step.params)];
}

function checkNames(plan: WorkflowPlan, { errors }: Findings): void {
  const { steps, barriers, agents, consensus } = plan;
  for (const name of consensus.weights.keys())
    if (!agents.some((agent) => agent.name === name))
      errors.push(`voteWeights has ${name}, which is no agent`);
  const stepNames = new Set(steps.map(({ name }) => name));
  const names = new Set(stepNames);
  for (const { name, waitFor } of barriers) {
    if (names.has(name)) errors.push(`barrier ${name} has a name that is taken`);
    names.add(name);
    for (const step of waitFor)
      if (!stepNames.has(step)) errors.push(`barrier ${name} waits for ${step}, which is no step`);
  }
  for (const { name, dependsOn } of steps) {
    for (const before of dependsOn)
      if (!names.has(before)) errors.push(`step ${name} depends on ${before}, which is not there`);
  }
}

function checkOrder(plan: WorkflowPlan, { errors }: Findings): void {
  const graph = graphOf(plan);
  const known = new Set(graph.map(({ name }) => name));
  const inside = graph.map(({ name, dependsOn }) => ({
    name,
    dependsOn: dependsOn.filter((before) => known.has(before)),
  }));
  const { stuck } = wavesOf(inside);
  if (stuck.length > 0) errors.push(`steps wait for one another: ${cycleOf(stuck).join(" -> ")}`);
}

function checkPlaceholders(step: PlannedStep, plan: WorkflowPlan, findings: Findings): void {
  const before = ancestorsOf(step.name, graphOf(plan));
  const names = new Set(plan.steps.map(({ name }) => name));
  for (const text of textsOf(step)) {
    const { vars, steps } = placeholdersOf(text);
    for (const name of vars) {
      if (!plan.vars.has(name))
        findings.errors.push(`step ${step.name}: nothing says what {{${name}}} is`);
    }
    for (const name of steps) {
      const whole = `{{steps.${name}.output}}`;
      if (!names.has(name))
        findings.warnings.push(
          `step ${step.name}: ${whole} stays as it is: there is no step ${name}`,
        );
      else if (!before.has(name))
        findings.warnings.push(
          `step ${step.name}: it does not depend on ${name}, so ${whole} may stay as it is`,
        );
    }
  }
}

function checkPreflight({ preflight }: WorkflowPlan, { errors }: Findings): void {
  for (const { failIf, successIf, command } of preflight) {
    for (const condition of [failIf, successIf]) {
      if (condition === undefined || condition === "empty" || condition === "non-empty") continue;
      try {
        RegExp(condition);
      } catch {
        errors.push(`preflight ${command}: ${condition} is no regular expression`);
      }
    }
  }
}

function checkBounds({ steps, maxConcurrency }: WorkflowPlan, { warnings }: Findings): void {
  const unbounded = steps.filter(({ timeoutMs }) => timeoutMs === undefined);
  for (const { name } of unbounded) warnings.push(`step ${name} has no time-out`);
  const widest = Math.max(0, ...wavesOf(steps).waves.map((wave) => wave.length));
  if (widest > maxConcurrency)
    warnings.push(`up to ${widest} steps could run at once, and ${maxConcurrency} may`);
}
