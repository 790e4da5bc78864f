import type { SessionTool } from "@agentos/core";

import { schemaTool } from "./schema-tool.ts";
import type { Tool } from "./tool.ts";

/** A tool that the sidecar itself gives to an agent. Throws `INVALID_ARGUMENT` for a malformed schema. */
export function givenTool(tool: SessionTool): Tool {
  const { name, description, inputSchema, crossesBorder } = tool;
  return schemaTool({
    info: { name, description, inputSchema, source: "builtin", crossesBorder },
    argument: name,
    run: async ({ callId, input }, { turnId, signal }) =>
      await tool.run({ callId, turnId, input, signal }),
  });
}
