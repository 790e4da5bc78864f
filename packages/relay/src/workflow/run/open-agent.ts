import { randomUUID } from "node:crypto";

import type { WorkflowAgentHandle } from "@agentos/core";

import type { PlannedAgent } from "../plan/workflow-plan.ts";
import { agentInstructions } from "./agent-instructions.ts";
import type { RunContext } from "./run-context.ts";

/** Of what an agent's id tells to people; ids have 64 characters. */
const PURPOSE_CHARACTERS = 48;

export interface OpenAgent {
  readonly agent: PlannedAgent;
  /** The step, its try and what for. */
  readonly purpose: string;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** Starts an agent for one step. */
export async function openAgent(
  { plan, place, record, providers }: RunContext,
  { agent, purpose, cwd, signal }: OpenAgent,
): Promise<WorkflowAgentHandle> {
  const { name, runtime, model, maxTokens, channels, additionalPaths, interactive } = agent;
  return await place.agents.open(
    {
      runId: record.run.runId,
      agent: name,
      // Another one each time: a resumed run does a step again whose first agent has left a transcript.
      id: `${purpose.slice(0, PURPOSE_CHARACTERS)}-${randomUUID().slice(0, 8)}`,
      runtime,
      command: agent.command,
      model,
      provider: providerOf(providers, name, runtime),
      cwd,
      workspaces: additionalPaths.length === 0 ? undefined : [cwd, ...additionalPaths],
      instructions: agentInstructions(plan, agent),
      maxTokens,
      channels,
      mayWriteTo: interactive ? (plan.topology.edges[name] ?? []) : [],
    },
    { signal },
  );
}

/** The agent's own, else its runtime's, else everybody's. */
function providerOf(
  providers: RunContext["providers"],
  ...names: readonly string[]
): RunContext["providers"][string] | undefined {
  const name = [...names, "*"].find((each) => Object.hasOwn(providers, each));
  return name === undefined ? undefined : providers[name];
}
