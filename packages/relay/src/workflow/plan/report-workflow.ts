import type { WorkflowReport } from "@agentos/protocol";

import { graphOf } from "./check-plan.ts";
import type { CompiledWorkflow } from "./compile-workflow.ts";
import { wavesOf } from "./step-graph.ts";
import type { PlannedStep } from "./workflow-plan.ts";

/** What a run would do, for people. */
export function reportWorkflow({ plan, errors, warnings }: CompiledWorkflow): WorkflowReport {
  const { name, workflow, description, pattern, topology, steps, maxConcurrency } = plan;
  const byName = new Map(steps.map((step) => [step.name, step]));
  const waves = wavesOf(graphOf(plan))
    .waves.map((wave) => wave.flatMap(({ name: each }) => byName.get(each) ?? []))
    .filter((wave) => wave.length > 0);
  const agentSteps = steps.filter(({ kind }) => kind === "agent");
  return {
    valid: errors.length === 0,
    errors: [...errors],
    warnings: [...warnings],
    name,
    workflow,
    description,
    pattern,
    agents: plan.agents.map(({ name: agent, runtime, cli, model, role, cwd }) => ({
      name: agent,
      runtime,
      cli,
      model: model ?? null,
      role: role ?? null,
      cwd,
      stepCount: steps.filter((step) => step.kind === "agent" && step.agent.name === agent).length,
    })),
    topology,
    waves: waves.map((wave, index) => ({ wave: index + 1, steps: wave.map(rowOf) })),
    totalSteps: steps.length,
    maxConcurrency,
    estimatedWaves: waves.reduce((sum, wave) => sum + Math.ceil(wave.length / maxConcurrency), 0),
    estimatedPeakConcurrency: Math.min(
      maxConcurrency,
      Math.max(0, ...waves.map((wave) => wave.length)),
    ),
    estimatedTotalAgentSteps: agentSteps.length,
  };
}

function rowOf(step: PlannedStep): WorkflowReport["waves"][number]["steps"][number] {
  const { name, type, dependsOn } = step;
  const agent = step.kind === "agent" ? step.agent.name : null;
  return { name, type, agent, dependsOn: [...dependsOn] };
}
