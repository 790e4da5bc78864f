import * as z from "zod";

import { Id } from "../ids.ts";
import { ToolCall, ToolResult } from "./tool.ts";

/** One finished piece of a session's history, as people read it. */
export const Step = z.object({
  /** Its place in the history; grows, with gaps after `clearHistory`. */
  index: z.int().min(0),
  turnId: Id.nullable(),
  kind: z.enum(["text", "thinking", "tool_call", "tool_result", "compaction", "system"]),
  role: z.enum(["user", "agent", "system"]),
  /** The subagent's session, where it is not the main agent's. */
  agent: Id.optional(),
  text: z.string(),
  call: ToolCall.optional(),
  result: ToolResult.optional(),
  at: z.number(),
});
export type Step = z.infer<typeof Step>;
