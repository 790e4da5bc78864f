import type { StoredAgent } from "@agentos/core";
import type { AgentInfo } from "@agentos/protocol";

/** What is told of an agent that is gone. */
export function pastOf(stored: StoredAgent): AgentInfo {
  return infoOf(stored, { activity: "idle", idle: false, pending: 0 });
}

/** What is told of an agent. */
export function infoOf(
  stored: StoredAgent,
  { activity, idle, pending }: Pick<AgentInfo, "activity" | "idle" | "pending">,
): AgentInfo {
  const { agentId, name, vmId, spec, state, channels, model, restarts, held, createdAt } = stored;
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
    idle,
    held,
    pending,
    restarts,
    createdAt,
  };
}
