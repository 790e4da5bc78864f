import { AgentOsError, type SessionSpec, type SubagentSpec } from "@agentos/protocol";

/** Points at which hooks see what a subagent does; the others are the main agent's own. */
const INHERITED_POINTS: readonly string[] = [
  "pre_tool_call",
  "post_tool_call",
  "tool_error",
  "interaction",
];

/**
 * What a subagent is made of: its own model, words, tools and capabilities; the parent's runtime, policy,
 * hooks on tools, time-outs and place. Throws `UNSUPPORTED` below the greatest depth.
 */
export function childSpec(parent: SessionSpec, agent: SubagentSpec, childId: string): SessionSpec {
  const { runtime, provider, cwd, env, command, args, workspaces, skills, policy } = parent;
  const { timeouts, asks, retries, thinking, maxOutputTokens, compaction } = parent;
  const { description: _description, capabilities, ...own } = agent;
  const hooks = parent.hooks?.filter(({ point }) => INHERITED_POINTS.includes(point));
  const inherited = {
    provider,
    cwd,
    env,
    command,
    args,
    workspaces,
    skills,
    policy,
    hooks,
    timeouts,
    asks,
    retries,
    thinking,
    maxOutputTokens,
    compaction,
  };
  return {
    ...defined(inherited),
    ...(parent.model === undefined ? {} : { model: parent.model }),
    ...own,
    capabilities: { ...capabilities, subagents: deeper(parent) },
    sessionId: childId,
    runtime,
  };
}

/** How deep a session's agents may go: 0 for one that may start none. */
export function depthOf({ capabilities, agents = {} }: SessionSpec): number {
  const subagents = capabilities?.subagents ?? Object.keys(agents).length > 0;
  if (subagents === false) return 0;
  return subagents === true ? 1 : (subagents.maxDepth ?? 1);
}

export function assertDepth(isChild: boolean, parent: SessionSpec): void {
  // The user may start one below any main agent; below that the agent's own bound holds.
  if (!isChild || depthOf(parent) > 0) return;
  const what = "a subagent below this one";
  throw new AgentOsError("UNSUPPORTED", `${what}: maxDepth is reached`, {
    what,
    instead: "capabilities.subagents.maxDepth of the main agent",
  });
}

function deeper(parent: SessionSpec): NonNullable<SessionSpec["capabilities"]>["subagents"] {
  const left = depthOf(parent) - 1;
  if (left < 1) return false;
  const subagents = parent.capabilities?.subagents;
  const allow = typeof subagents === "object" ? subagents.allow : undefined;
  return { maxDepth: left, ...(allow === undefined ? {} : { allow }) };
}

/** One that an agent starts by itself only looks, unless its specification says what it may do. */
export function withDefaultTools(agent: SubagentSpec): SubagentSpec {
  const { enabledTools, disabledTools } = agent.capabilities ?? {};
  if (enabledTools !== undefined || disabledTools !== undefined) return agent;
  return { ...agent, capabilities: { ...agent.capabilities, enabledTools: READ_ONLY_TOOLS } };
}

const READ_ONLY_TOOLS = ["view_file", "list_directory", "find_file", "search_directory"];

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(fields: T): Defined<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The same fields, but for those that are not there.
  return Object.fromEntries(entries) as Defined<T>;
}
