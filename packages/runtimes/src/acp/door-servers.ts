import type { ToolDoor } from "@agentos/core";
import type { JsonObject } from "@agentos/protocol";

/** The session's tools as an MCP server, the way `session/new` takes them. */
export function doorServers(door: ToolDoor | undefined): JsonObject[] {
  if (door === undefined) return [];
  const env = Object.entries(door.env).map(([name, value]) => ({ name, value }));
  return [{ name: "agentos", command: door.mcp.command, args: [...door.mcp.args], env }];
}
