import type { JsonObject } from "@agentos/protocol";

import { schemaTool } from "../schema-tool.ts";
import { textOutput, type Tool } from "../tool.ts";

/** The name that runtimes know it by: its input is the turn's structured output. */
export const FINISH_TOOL = "finish";

/** finish: ends the turn with an output that matches the session's schema. Throws `INVALID_ARGUMENT` for a schema that is none. */
export function finish(outputSchema: JsonObject): Tool {
  return schemaTool({
    info: {
      name: FINISH_TOOL,
      description: "End the task with its result. Call it once, when everything is done.",
      inputSchema: outputSchema,
      source: "builtin",
      crossesBorder: false,
    },
    argument: "session.outputSchema",
    run: async () => textOutput("finished"),
  });
}
