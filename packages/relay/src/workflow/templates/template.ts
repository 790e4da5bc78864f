import type { AgentStep, WorkflowDefinition } from "@agentos/protocol";

/** A workflow that comes with AgentOS. `{{task}}` is what it is used for. */
export interface WorkflowTemplate {
  readonly name: string;
  readonly definition: WorkflowDefinition;
}

type Agent = NonNullable<WorkflowDefinition["agents"]>[number];

/** An agent of a template: Claude Code, unless a copy of the file says otherwise. */
export function member(name: string, role: string, preset: NonNullable<Agent["preset"]>): Agent {
  return { name, cli: "claude", role, preset };
}

/** A step that has what came before it in its task. */
export function work(name: string, agent: string, task: string, ...before: string[]): AgentStep {
  const outputs = before.map((step) => `From ${step}:\n{{steps.${step}.output}}`);
  return {
    name,
    agent,
    task: [task, ...outputs].join("\n\n"),
    timeoutMs: 1_800_000,
    ...(before.length > 0 ? { dependsOn: before } : {}),
  };
}

export function template(
  name: string,
  pattern: WorkflowDefinition["swarm"]["pattern"],
  description: string,
  parts: { agents: Agent[]; steps: AgentStep[] },
): WorkflowTemplate {
  const { agents, steps } = parts;
  return {
    name,
    definition: {
      version: "1.0",
      name,
      description,
      swarm: { pattern, maxConcurrency: 4, channel: name },
      agents,
      workflows: [{ name, steps }],
      errorHandling: { strategy: "retry", maxRetries: 1 },
    },
  };
}
