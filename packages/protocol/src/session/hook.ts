import * as z from "zod";

export const HOOK_POINTS = [
  "session_start",
  "session_end",
  "pre_turn",
  "post_turn",
  "pre_tool_call",
  "post_tool_call",
  "tool_error",
  "interaction",
  "compaction",
  "stop",
] as const;
export const HookPoint = z.enum(HOOK_POINTS);
export type HookPoint = z.infer<typeof HookPoint>;
