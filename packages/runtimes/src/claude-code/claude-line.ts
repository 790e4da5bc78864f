import { Json, JsonObject } from "@agentos/protocol";
import * as z from "zod";

/** Fields that are used of what Claude Code says; more is let through, other lines are for the audit only. */
const Block = z.object({
  type: z.string(),
  text: z.string().optional().catch(undefined),
  id: z.string().optional().catch(undefined),
  name: z.string().optional().catch(undefined),
  input: Json.optional().catch(undefined),
  tool_use_id: z.string().optional().catch(undefined),
  is_error: z.boolean().nullish().catch(undefined),
  content: Json.optional().catch(undefined),
});
export type Block = z.infer<typeof Block>;

const parent = z.string().nullish().catch(undefined);
const Message = z.object({ content: z.union([z.string(), z.array(Block)]) });

const System = z.object({
  type: z.literal("system"),
  subtype: z.string(),
  session_id: z.string().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
  attempt: z.number().optional().catch(undefined),
});
const StreamEvent = z.object({
  type: z.literal("stream_event"),
  parent_tool_use_id: parent,
  event: z.object({
    type: z.string(),
    delta: z
      .object({
        type: z.string().optional().catch(undefined),
        text: z.string().optional().catch(undefined),
        thinking: z.string().optional().catch(undefined),
      })
      .optional()
      .catch(undefined),
  }),
});
const Assistant = z.object({
  type: z.literal("assistant"),
  parent_tool_use_id: parent,
  message: Message,
});
const User = z.object({
  type: z.literal("user"),
  parent_tool_use_id: parent,
  message: Message,
  tool_use_result: Json.optional().catch(undefined),
});
const Result = z.object({
  type: z.literal("result"),
  subtype: z.string(),
  is_error: z.boolean().catch(false),
  result: z.string().optional().catch(undefined),
  stop_reason: z.string().nullish().catch(undefined),
  terminal_reason: z.string().optional().catch(undefined),
  api_error_status: z.int().nullish().catch(undefined),
  errors: z.array(z.string()).optional().catch(undefined),
  /** Turns that wait in the program: what was said while this one ran. */
  queued_turn_count: z.int().optional().catch(undefined),
});
const RateLimit = z.object({
  type: z.literal("rate_limit_event"),
  rate_limit_info: z
    .object({ status: z.string().optional(), resetsAt: z.number().optional() })
    .optional()
    .catch(undefined),
});
const ControlRequest = z.object({
  type: z.literal("control_request"),
  request_id: z.string(),
  request: z.looseObject({ subtype: z.string() }),
});
const ControlCancel = z.object({
  type: z.literal("control_cancel_request"),
  request_id: z.string(),
});
const ControlResponse = z.object({
  type: z.literal("control_response"),
  response: z.object({
    subtype: z.string(),
    request_id: z.string(),
    response: JsonObject.optional().catch(undefined),
    error: z.string().optional().catch(undefined),
  }),
});

export const ClaudeLine = z.discriminatedUnion("type", [
  System,
  StreamEvent,
  Assistant,
  User,
  Result,
  RateLimit,
  ControlRequest,
  ControlCancel,
  ControlResponse,
]);
export type ClaudeLine = z.infer<typeof ClaudeLine>;
export type ClaudeResult = z.infer<typeof Result>;
export type ClaudeControlLine = Extract<
  ClaudeLine,
  { type: "control_request" | "control_cancel_request" | "control_response" }
>;

/** Undefined: nothing that is known here. */
export function parseClaudeLine(value: Json): ClaudeLine | undefined {
  return ClaudeLine.safeParse(value).data;
}
