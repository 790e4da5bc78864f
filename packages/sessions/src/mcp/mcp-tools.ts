import {
  AgentOsError,
  JsonObject,
  type McpServer,
  parseArgument,
  type ToolCall,
  type ToolInfo,
} from "@agentos/protocol";

import type { ToolTurn } from "../tool-desk.ts";
import { failedOutput, type Tool, type ToolOutput } from "../tools/tool.ts";
import { mcpContent } from "./mcp-content.ts";

/** A tool as its server describes it. */
export interface ListedTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: unknown;
}

/** Asks the server. Rejects with what the model is to be told. */
export type CallServer = (name: string, input: JsonObject, signal: AbortSignal) => Promise<unknown>;

const MAX_DESCRIPTION = 8_192;
const MAX_NAME = 64;

/** The tools of a server that its specification leaves. Throws `INVALID_ARGUMENT` for names that the server has not. */
export function mcpTools(
  server: string,
  spec: McpServer,
  listed: readonly ListedTool[],
  call: CallServer,
): Tool[] {
  const names = new Set<string>();
  return enabled(server, spec, listed).map((tool) => {
    const name = freeName(tool.name, names);
    names.add(name);
    const info: ToolInfo = {
      name,
      server,
      description: (tool.description ?? "").slice(0, MAX_DESCRIPTION),
      inputSchema: inputSchema(tool),
      source: "mcp",
      crossesBorder: "url" in spec,
    };
    return mcpTool(info, tool.name, call);
  });
}

function mcpTool(info: ToolInfo, listedName: string, call: CallServer): Tool {
  return {
    info,
    // The server knows what its schema means; here it must be an object.
    parse: (input) => parseArgument(JsonObject, input ?? {}, info.name),
    paths: () => [],
    run: async ({ input }: ToolCall, { signal }: ToolTurn): Promise<ToolOutput> => {
      try {
        return mcpContent(await call(listedName, JsonObject.parse(input ?? {}), signal));
      } catch (error) {
        signal.throwIfAborted();
        return failedOutput(error instanceof Error ? error.message : String(error));
      }
    },
  };
}

function enabled(
  server: string,
  { enabledTools, disabledTools }: McpServer,
  listed: readonly ListedTool[],
): readonly ListedTool[] {
  const known = listed.map(({ name }) => name);
  const unknown = (enabledTools ?? disabledTools ?? []).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw invalid(server, `names of ${known.join(", ")}`, unknown);
  }
  if (enabledTools !== undefined) return listed.filter(({ name }) => enabledTools.includes(name));
  return listed.filter(({ name }) => disabledTools?.includes(name) !== true);
}

/** Throws `INVALID_ARGUMENT`. */
export function assertToolChoice(server: string, { enabledTools, disabledTools }: McpServer): void {
  if (enabledTools === undefined || disabledTools === undefined) return;
  throw invalid(server, "enabledTools or disabledTools", "both");
}

function invalid(server: string, expected: string, actual: string): AgentOsError {
  const argument = `session.mcpServers.${server}`;
  const message = `${argument}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}

/** A name that policies and models can write. */
function freeName(listed: string, taken: ReadonlySet<string>): string {
  const safe = listed.replaceAll(/[^A-Za-z0-9_-]/g, "_");
  const name = (/^[A-Za-z]/.test(safe) ? safe : `t_${safe}`).slice(0, MAX_NAME);
  for (let count = 2, free = name; ; count += 1) {
    if (!taken.has(free)) return free;
    free = `${name.slice(0, MAX_NAME - 4)}_${count}`;
  }
}

function inputSchema({ inputSchema: schema }: ListedTool): JsonObject {
  const { data } = JsonObject.safeParse(JSON.parse(JSON.stringify(schema ?? null)));
  return data?.["type"] === "object" ? data : { type: "object" };
}
