import type { ToolDoor } from "@agentos/core";
import type { JsonObject } from "@agentos/protocol";

/** Settings that make Gemini CLI quiet, and leave tries to the caller. */
export function geminiSettings(door: ToolDoor | undefined): JsonObject {
  return {
    general: {
      enableAutoUpdate: false,
      enableAutoUpdateNotification: false,
      maxAttempts: 1,
      retryFetchErrors: false,
    },
    privacy: { usageStatisticsEnabled: false },
    telemetry: { enabled: false },
    security: { auth: { selectedType: "gemini-api-key" }, folderTrust: { enabled: false } },
    ...(door === undefined ? {} : { mcpServers: { agentos: doorServer(door) } }),
  };
}

/** The door asks for each call of its tools itself. */
function doorServer({ mcp, env }: ToolDoor): JsonObject {
  return { command: mcp.command, args: [...mcp.args], env: { ...env }, trust: true };
}
