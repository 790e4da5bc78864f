import type { WorkflowReport } from "@agentos/client";

import { readable } from "../output/readable.ts";

/** A dry run as a person reads it. */
export function formatReport(report: WorkflowReport): string {
  const { workflow, pattern, totalSteps, estimatedWaves, maxConcurrency, topology } = report;
  const lines = [
    `${workflow}: ${totalSteps} steps in ${estimatedWaves} waves, ${maxConcurrency} at a time, pattern ${pattern}`,
    ...(report.description === null ? [] : [`  ${report.description}`]),
    ...report.agents.map(
      ({ name, runtime, model, stepCount }) =>
        `agent ${name}: ${model === null ? runtime : `${runtime}, ${model}`}, ${stepCount} steps`,
    ),
    ...(topology.hub === null ? [] : [`hub: ${topology.hub}`]),
    ...report.waves.flatMap(({ wave, steps }) => [`wave ${wave}`, ...steps.map(stepLine)]),
    ...report.warnings.map((warning) => `warning: ${warning}`),
    ...report.errors.map((error) => `error: ${error}`),
    report.valid ? "It can run." : "It can't run.",
  ];
  return `${lines.map(readable).join("\n")}\n`;
}

function stepLine({
  name,
  type,
  agent,
  dependsOn,
}: WorkflowReport["waves"][number]["steps"][number]): string {
  const who = agent === null ? type : agent;
  const after = dependsOn.length === 0 ? "" : `, after ${dependsOn.join(", ")}`;
  return `  ${name} (${who})${after}`;
}
