import type { StoredAgent } from "@agentos/core";
import type { AgentActivity, AgentInfo } from "@agentos/protocol";

/** What is told of an agent, alive or not. */
export function infoOf(
  stored: StoredAgent,
  { activity, pending }: { activity: AgentActivity; pending: number },
): AgentInfo {
  const { agentId, name, vmId, spec, state, channels, model, restarts, createdAt } = stored;
  return {
    name,
    agentId,
    sessionId: agentId,
    vmId,
    runtime: spec.session.runtime,
    model,
    team: spec.team ?? null,
    channels: [...channels],
    parent: spec.parent ?? null,
    shadowOf: spec.shadowOf ?? null,
    state,
    activity,
    pending,
    restarts,
    createdAt,
  };
}
