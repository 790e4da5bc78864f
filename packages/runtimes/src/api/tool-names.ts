import type { ToolCall, ToolInfo } from "@agentos/protocol";

/** A tool's name as the model sees it. */
export interface NamedTool {
  readonly wireName: string;
  readonly info: ToolInfo;
}

/** What every provider takes as a tool's name. */
const MAX_NAME = 64;

/** The tools by names that no two of them share: those of an MCP server have its name before theirs. */
export class ToolNames {
  readonly tools: readonly NamedTool[];
  readonly #byName: ReadonlyMap<string, ToolInfo>;

  constructor(infos: readonly ToolInfo[]) {
    const byName = new Map<string, ToolInfo>();
    this.tools = infos.map((info) => {
      const wireName = freeName(info, byName);
      byName.set(wireName, info);
      return { wireName, info };
    });
    this.#byName = byName;
  }

  /** The call's name and server; a name that nobody has stays as it is, for the desk to refuse. */
  target(wireName: string): Pick<ToolCall, "name" | "server"> {
    const info = this.#byName.get(wireName);
    if (info === undefined) return { name: wireName };
    return info.server === undefined
      ? { name: info.name }
      : { name: info.name, server: info.server };
  }

  knows(wireName: string): boolean {
    return this.#byName.has(wireName);
  }
}

function freeName({ name, server }: ToolInfo, taken: ReadonlyMap<string, unknown>): string {
  const whole = server === undefined ? name : `${server}__${name}`;
  const wanted = providerName(whole);
  if (!taken.has(wanted)) return wanted;
  for (let count = 2; ; count += 1) {
    const suffix = `_${count}`;
    const other = wanted.slice(0, MAX_NAME - suffix.length) + suffix;
    if (!taken.has(other)) return other;
  }
}

/** A name with nothing in it that a provider refuses. */
export function providerName(name: string): string {
  const safe = name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, MAX_NAME);
  return /^[A-Za-z_]/.test(safe) ? safe : `t_${safe}`.slice(0, MAX_NAME);
}
