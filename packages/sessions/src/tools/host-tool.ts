import { DEFAULTS, type HostTool } from "@agentos/protocol";
import type { ToolDeskRequest } from "../tool-desk.ts";

import { schemaTool } from "./schema-tool.ts";
import { failedOutput, type Tool } from "./tool.ts";

/** A tool that the client runs in its own process. Throws `INVALID_ARGUMENT` for a malformed schema. */
export function hostTool(context: ToolDeskRequest, tool: HostTool): Tool {
  const { name, description, inputSchema, crossesBorder = true } = tool;
  const deadlineMs = tool.timeoutMs ?? DEFAULTS.hostToolMs;
  return schemaTool({
    info: { name, description, inputSchema, source: "host", crossesBorder },
    argument: `session.tools.${name}.inputSchema`,
    run: async (call, turn) => {
      const answer = await context.callbacks.call(
        {
          sessionId: context.sessionId,
          turnId: turn.turnId,
          callback: `tool:${name}`,
          callId: call.callId,
          ask: { kind: "tool", name, input: call.input },
        },
        { deadlineMs, signal: turn.signal },
      );
      if (answer.kind !== "tool") return failedOutput(`${name} gave no tool's answer`);
      return { content: answer.content, isError: answer.isError };
    },
  });
}
