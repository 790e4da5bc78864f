import { posix } from "node:path";

import {
  AgentName,
  DEFAULTS,
  type WorkflowAgent,
  type WorkflowDefinition,
} from "@agentos/protocol";

import { agentCommand } from "./agent-command.ts";
import type { PlannedAgent } from "./workflow-plan.ts";

/** Runtimes by the names of their programs. Those without one of their own run as a command. */
const RUNTIMES: Readonly<Record<NonNullable<WorkflowAgent["cli"]>, string>> = {
  claude: "claude-code",
  codex: "codex",
  gemini: "gemini-cli",
  opencode: "opencode",
  pi: "pi",
  aider: "command",
  goose: "command",
  droid: "command",
  cursor: "command",
  "cursor-agent": "command",
  agent: "command",
};

/** The definition's agents with their defaults. What is wrong with them goes to `errors`. */
export function planAgents(
  { agents = [], swarm }: WorkflowDefinition,
  cwd: string,
  errors: string[],
): PlannedAgent[] {
  const names = new Set<string>();
  for (const { name, cli, runtime } of agents) {
    if (names.has(name.toLowerCase())) errors.push(`agent ${name} is there twice`);
    names.add(name.toLowerCase());
    if (!AgentName.safeParse(name).success) errors.push(`agent ${name}: a name of the relay's own`);
    if ((cli === undefined) === (runtime === undefined))
      errors.push(`agent ${name}: expected either cli or runtime`);
  }
  return agents.map((agent) => planAgent(agent, swarm.channel, cwd));
}

function planAgent(agent: WorkflowAgent, channel: string | undefined, cwd: string): PlannedAgent {
  const { name, cli, runtime, role, preset, interactive, constraints = {} } = agent;
  const own = posix.resolve(cwd, agent.cwd ?? ".");
  const command = agentCommand(cli, constraints.model);
  const channels = new Set([
    ...(channel === undefined ? [] : [channel]),
    ...(agent.channels ?? []),
  ]);
  return {
    name,
    cli: cli ?? null,
    runtime: runtime ?? (cli === undefined ? "" : RUNTIMES[cli]),
    command,
    model: command === undefined ? constraints.model : undefined,
    role: role ?? preset,
    preset,
    interactive: interactive ?? (preset === undefined || preset === "lead"),
    cwd: own,
    additionalPaths: (agent.additionalPaths ?? []).map((path) => posix.resolve(cwd, path)),
    channels: [...channels],
    maxTokens: constraints.maxTokens,
    idleMs: 1_000 * (constraints.idleThresholdSecs ?? DEFAULTS.workflowIdleMs / 1_000),
  };
}
