import { Json } from "@agentos/protocol";
import * as z from "zod";

/** What is read of Pi's lines. Others are let through. */

const Block = z.object({ type: z.string(), text: z.string().optional() });

const Response = z.object({
  type: z.literal("response"),
  id: z.string(),
  success: z.boolean(),
  error: z.string().optional(),
  data: Json.optional(),
});
export type PiResponse = z.infer<typeof Response>;

const MessageUpdate = z.object({
  type: z.literal("message_update"),
  assistantMessageEvent: z.object({ type: z.string(), delta: z.string().optional() }),
});

const MessageEnd = z.object({
  type: z.literal("message_end"),
  message: z.object({
    role: z.string(),
    stopReason: z.string().optional(),
    errorMessage: z.string().optional(),
    content: z.union([z.string(), z.array(Block)]).optional(),
  }),
});
export type PiMessage = z.infer<typeof MessageEnd>["message"];

/** What another life of the sidecar has to know of a running turn: the line of what Pi said last, too. */
export const PiMemo = z.object({ agentSessionId: z.string(), said: z.string().nullable() });

const Partial = z.object({ content: z.array(Block).optional() });

const ToolUpdate = z.object({
  type: z.literal("tool_execution_update"),
  toolCallId: z.string(),
  partialResult: Partial,
});

const ToolEnd = z.object({
  type: z.literal("tool_execution_end"),
  toolCallId: z.string(),
  toolName: z.string(),
  result: Partial,
  isError: z.boolean(),
});
export type PiToolEnd = z.infer<typeof ToolEnd>;

const Dialog = z.object({
  type: z.literal("extension_ui_request"),
  id: z.string(),
  method: z.string(),
  title: z.string().optional(),
  placeholder: z.string().optional(),
});
export type PiDialog = z.infer<typeof Dialog>;

const CompactionEnd = z.object({
  type: z.literal("compaction_end"),
  result: z.object({ summary: z.string().optional() }).nullish(),
  aborted: z.boolean().optional(),
  errorMessage: z.string().optional(),
});

const Settled = z.object({ type: z.literal("agent_settled") });

const PiLine = z.discriminatedUnion("type", [
  Response,
  MessageUpdate,
  MessageEnd,
  ToolUpdate,
  ToolEnd,
  Dialog,
  CompactionEnd,
  Settled,
]);
export type PiLine = z.infer<typeof PiLine>;

/** Undefined for what is not one of them. */
export function parsePiLine(value: Json): PiLine | undefined {
  return PiLine.safeParse(value).data;
}

/** What the extension asks in a dialog. */
export const PiQuestion = z.object({
  ask: z.enum(["authorize", "call"]),
  callId: z.string(),
  name: z.string(),
  input: Json,
});
export type PiQuestion = z.infer<typeof PiQuestion>;

export const PiState = z.object({ sessionId: z.string() });
