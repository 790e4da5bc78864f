import type { HostTool, SessionSpec } from "@agentos/protocol";

import { invalidArgument } from "./session-errors.ts";

/** Throws `INVALID_ARGUMENT` for subagents that nobody could start, and for different tools of one name. */
export function checkSubagents({ agents = {}, capabilities, tools = [] }: SessionSpec): void {
  const names = Object.keys(agents);
  const subagents = capabilities?.subagents;
  if (subagents === false && names.length > 0)
    throw invalidArgument("session.agents", "none, with subagents off", names.join(", "));
  if (typeof subagents === "object") {
    const unknown = subagents.allow?.find((name) => !names.includes(name));
    const argument = "session.capabilities.subagents.allow";
    if (unknown !== undefined)
      throw invalidArgument(argument, `names of agents (${names.join(", ")})`, unknown);
  }
  checkTools([...tools, ...Object.values(agents).flatMap((agent) => agent.tools ?? [])]);
}

/** A call says a tool's name and no more: the session's and its subagents' must be the same tool, or have two names. */
function checkTools(tools: readonly HostTool[]): void {
  const known = new Map<string, string>();
  for (const tool of tools) {
    const text = JSON.stringify(tool);
    if ((known.get(tool.name) ?? text) !== text)
      throw invalidArgument("session.agents.tools", "one tool of each name", tool.name);
    known.set(tool.name, text);
  }
}
