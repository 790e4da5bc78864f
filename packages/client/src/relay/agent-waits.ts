import { type AgentInfo, AgentOsError, isAgentOsError, type RelayEvent } from "@agentos/protocol";

import { lastRelaySeq, readRelayEvents } from "./relay-events.ts";
import type { RelayLink } from "./relay-link.ts";

export interface AgentWaitOptions {
  /** Default: as long as it takes. 0: only a look at it. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What is looked for: in an agent as it is, and in what is told of it afterwards. */
interface Looked<R> {
  readonly now: (agent: AgentInfo) => R | undefined;
  readonly later: (event: RelayEvent) => R | undefined;
}

const ENDS = ["agent_exited", "agent_released", "agent_dead"] as const;

/** Until the agent is idle, or gone. One that never was counts as gone. */
export async function waitForIdle(
  link: RelayLink,
  name: string,
  options: AgentWaitOptions,
): Promise<"idle" | "exited" | "timeout"> {
  return await waitFor<"idle" | "exited">(link, name, options, {
    now: (agent) => (isGone(agent) ? "exited" : agent.idle ? "idle" : undefined),
    later: ({ type }) => (type === "agent_idle" ? "idle" : "exited"),
  });
}

/** Until the agent is gone. One that never was is. */
export async function waitForExit(
  link: RelayLink,
  name: string,
  options: AgentWaitOptions,
): Promise<"exited" | "released" | "timeout"> {
  return await waitFor<"exited" | "released">(link, name, options, {
    now: (agent) => {
      if (agent.state === "released") return "released";
      return isGone(agent) ? "exited" : undefined;
    },
    later: ({ type }) => {
      if (type === "agent_idle") return undefined;
      return type === "agent_released" ? "released" : "exited";
    },
  });
}

async function waitFor<R extends string>(
  link: RelayLink,
  name: string,
  { timeoutMs, signal: own }: AgentWaitOptions,
  { now, later }: Looked<R>,
): Promise<R | "exited" | "timeout"> {
  const late = timeoutMs ? AbortSignal.timeout(timeoutMs) : undefined;
  const signal = AbortSignal.any([own, late].filter((each) => each !== undefined));
  try {
    const after = await lastRelaySeq(link, signal);
    const agent = await find(link, name, signal);
    const found = agent === undefined ? "exited" : now(agent);
    if (found !== undefined) return found;
    if (timeoutMs === 0) return "timeout";
    const filter = { after, agent: name, types: ["agent_idle", ...ENDS] as const, signal };
    for await (const event of readRelayEvents(link, filter)) {
      const told = later(event);
      if (told !== undefined) return told;
    }
  } catch (error) {
    if (late?.aborted !== true || own?.aborted === true) throw error;
    return "timeout";
  }
  throw new AgentOsError("CANCELLED", "the relay's log ended", { operation: "wait" });
}

async function find(
  link: RelayLink,
  name: string,
  signal: AbortSignal,
): Promise<AgentInfo | undefined> {
  try {
    return await link.request("relay.agent", { name }, { signal });
  } catch (error) {
    if (isAgentOsError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

function isGone({ state }: AgentInfo): boolean {
  return state === "released" || state === "dead";
}
