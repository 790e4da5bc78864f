import * as z from "zod";

import { WireError } from "../error-codec.ts";
import { Id } from "../ids.ts";
import { Json } from "./json.ts";
import { Usage } from "./usage.ts";

export const StopReason = z.enum([
  "end_turn",
  "max_tokens",
  "max_turns",
  "max_tool_turns",
  "budget",
  "refusal",
  "cancelled",
  "rate_limit",
  /** The sidecar's life ended in the middle; the session can go on. */
  "interrupted",
  "denied",
  "error",
]);
export type StopReason = z.infer<typeof StopReason>;

/** Which budget stopped a turn. */
export const BudgetName = z.enum(["turns", "toolTurns", "tokens", "usd", "wallMs"]);
export type BudgetName = z.infer<typeof BudgetName>;

export const TurnResult = z.object({
  turnId: Id,
  /** The reply: the text after the last tool call. */
  text: z.string(),
  stopReason: StopReason,
  /** With `budget`, `max_turns` and `max_tool_turns`. */
  budget: BudgetName.optional(),
  usage: Usage.nullable(),
  /** Structured output that matches the schema; `null` where none came. */
  output: Json.optional(),
  error: WireError.optional(),
  durationMs: z.number(),
});
export type TurnResult = z.infer<typeof TurnResult>;
