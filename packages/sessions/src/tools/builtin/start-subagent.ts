import * as z from "zod";

import { builtinTool } from "../builtin-tool.ts";
import type { Subagents } from "../../subagents.ts";
import { failedOutput, textOutput, type Tool } from "../tool.ts";

/** start_subagent: one task for one of the session's subagents, answered when it is done. */
export function startSubagent(subagents: Subagents): Tool {
  const list = subagents.known.map(({ name, description }) => `${name}: ${description}`);
  return builtinTool({
    name: "start_subagent",
    description: `Give a task to a subagent and wait for its answer.\n${list.join("\n")}`,
    input: z.object({
      agent: z.enum(subagents.known.map(({ name }) => name)),
      prompt: z.string().trim().min(1),
    }),
    run: async ({ agent, prompt }, turn) => {
      const { result } = await subagents.run({ agent, prompt }, turn);
      const { error, stopReason, text } = result;
      if (error !== undefined) return failedOutput(`${agent} failed: ${error.message}`);
      return stopReason === "end_turn" ? textOutput(text) : failedOutput(`${agent}: ${stopReason}`);
    },
  });
}
