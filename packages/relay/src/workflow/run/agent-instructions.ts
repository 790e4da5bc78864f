import type { PlannedAgent, WorkflowPlan } from "../plan/workflow-plan.ts";

const PREAMBLES: Readonly<Record<NonNullable<PlannedAgent["preset"]>, string>> = {
  lead: "You lead this work: say what is to be done, and make one thing of what comes back.",
  worker: "You do one piece of work by yourself, to its end, without asking back.",
  reviewer: "You review. Change nothing; say what is wrong, where, and how bad it is.",
  analyst: "You analyse. Change nothing; say what you found and how sure you are.",
};

function relayLines(
  { topology }: WorkflowPlan,
  { name, interactive, channels }: PlannedAgent,
): string[] {
  const others = topology.edges[name] ?? [];
  if (!interactive || others.length === 0) return [];
  const into = channels.map((channel) => `#${channel.replace(/^#/, "")}`);
  const where = into.length === 0 ? "" : `, or to all of them in ${into.join(" and ")}`;
  return [
    `While they work you can write to ${others.join(", ")} with the tool relay_send, by these names${where}.`,
  ];
}

/** What an agent of a workflow is told beside its task. */
export function agentInstructions(plan: WorkflowPlan, agent: PlannedAgent): string {
  const lines = [`You are ${agent.name}, an agent of the workflow ${plan.workflow}.`];
  if (agent.preset !== undefined) lines.push(PREAMBLES[agent.preset]);
  else if (agent.role !== undefined) lines.push(`Your role: ${agent.role}.`);
  lines.push(...relayLines(plan, agent));
  lines.push("Your last message is your result: whoever comes next sees only that.");
  return lines.join("\n");
}
