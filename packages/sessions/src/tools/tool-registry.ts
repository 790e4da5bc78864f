import { AgentOsError, type Capabilities, type ToolCall, type ToolInfo } from "@agentos/protocol";

import type { Tool } from "./tool.ts";

/** The tools of one session, in a fixed order: built-in, host, MCP. */
export class ToolRegistry {
  readonly #tools: readonly Tool[];

  /** Throws `INVALID_ARGUMENT` for two tools of one name, and for capabilities that name an unknown one. */
  constructor(tools: readonly Tool[]) {
    const names = tools.map(({ info }) => fullName(info));
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw invalid("session.tools", "names used once", twice);
    this.#tools = tools;
  }

  get infos(): readonly ToolInfo[] {
    return this.#tools.map(({ info }) => info);
  }

  find({ name, server }: Pick<ToolCall, "name" | "server">): Tool | undefined {
    return this.#tools.find(({ info }) => info.name === name && info.server === server);
  }
}

/** The built-in tools that the capabilities leave. Throws `INVALID_ARGUMENT`. */
export function enabledTools(tools: readonly Tool[], capabilities: Capabilities): readonly Tool[] {
  const { enabledTools: enabled, disabledTools: disabled } = capabilities;
  if (enabled !== undefined && disabled !== undefined) {
    throw invalid("session.capabilities", "enabledTools or disabledTools", "both");
  }
  const known = new Set(tools.map(({ info }) => info.name));
  const unknown = [...(enabled ?? []), ...(disabled ?? [])].find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw invalid("session.capabilities", `names of ${[...known].join(", ")}`, unknown);
  }
  if (enabled !== undefined) return tools.filter(({ info }) => enabled.includes(info.name));
  return tools.filter(({ info }) => disabled?.includes(info.name) !== true);
}

function fullName({ server, name }: ToolInfo): string {
  return server === undefined ? name : `${server}/${name}`;
}

function invalid(argument: string, expected: string, actual: string): AgentOsError {
  const message = `${argument}: expected ${expected}, got ${JSON.stringify(actual)}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
