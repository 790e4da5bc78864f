import type { WorkflowDefinition, WorkflowStep } from "@agentos/protocol";

import type { Shape } from "../patterns/shape.ts";

/** What a workflow without steps does: one step for each agent with a task, level after level. */
export function stepsOfShape(
  { agents = [] }: WorkflowDefinition,
  shape: Shape,
): { steps: WorkflowStep[]; fallbacks: Map<string, string> } {
  const tasks = new Map(
    agents.flatMap(({ name, task }) => (task === undefined ? [] : [[name, task]])),
  );
  const steps: WorkflowStep[] = [];
  const fallbacks = new Map<string, string>();
  const reviewers = shape.reviewers ?? [];
  let before: readonly string[] = [];
  for (const [index, level] of shape.levels.entries()) {
    const names = level.filter((name) => tasks.has(name));
    // Of a consensus only what the last one makes of the proposals is voted on.
    const isVoted = index === shape.levels.length - 1 && reviewers.length > 0;
    for (const agent of names) {
      const task = tasks.get(agent) ?? "";
      const dependsOn = [...before];
      steps.push({
        name: agent,
        agent,
        task: withOutputs(task, shape.onFailure === true ? [] : dependsOn),
        ...(dependsOn.length > 0 ? { dependsOn } : {}),
        ...(isVoted ? { reviewers: [...reviewers] } : {}),
      });
      const [failed] = before;
      if (shape.onFailure === true && failed !== undefined) fallbacks.set(agent, failed);
    }
    if (names.length > 0) before = names;
  }
  return { steps, fallbacks };
}

/** What those before it said, unless its author says where that belongs. */
function withOutputs(task: string, before: readonly string[]): string {
  if (before.length === 0 || /\{\{\s*steps\./.test(task)) return task;
  const outputs = before.map((name) => `${name}:\n{{steps.${name}.output}}`);
  return [task, "What came before:", ...outputs].join("\n\n");
}
