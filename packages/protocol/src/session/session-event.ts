import * as z from "zod";

import { WireError } from "../error-codec.ts";
import { Id } from "../ids.ts";
import { Content } from "./content.ts";
import { Json } from "./json.ts";
import { PendingRequest, RequestOutcome } from "./request.ts";
import { Step } from "./step.ts";
import { ToolCall, ToolResult } from "./tool.ts";
import { TurnResult } from "./turn.ts";
import { ModelUse, SessionUsage } from "./usage.ts";

export const SessionState = z.enum([
  "starting",
  "idle",
  "running",
  /** A permission or question is open: nothing times out meanwhile. */
  "waiting",
  "closed",
  "failed",
  "deleted",
]);
export type SessionState = z.infer<typeof SessionState>;

export const TurnSource = z.enum(["prompt", "send", "trigger", "agent", "message"]);
export type TurnSource = z.infer<typeof TurnSource>;

/** What happens in a session, without its place in the transcript. */
export const SessionHappening = z.discriminatedUnion("type", [
  z.object({ type: z.literal("turn_start"), source: TurnSource, prompt: Content }),
  /** Said to the agent while its turn ran. */
  z.object({ type: z.literal("steer"), content: Content }),
  /** The agent uses another model from now on. */
  z.object({ type: z.literal("model"), model: z.string() }),
  /** The agent is in another of its modes from now on. */
  z.object({ type: z.literal("mode"), mode: z.string() }),
  z.object({ type: z.literal("text"), delta: z.string() }),
  z.object({ type: z.literal("thought"), delta: z.string() }),
  z.object({ type: z.literal("tool_call"), call: ToolCall }),
  z.object({ type: z.literal("tool_output"), callId: z.string(), delta: z.string() }),
  z.object({ type: z.literal("tool_result"), result: ToolResult }),
  z.object({ type: z.literal("step"), step: Step }),
  z.object({ type: z.literal("request"), request: PendingRequest }),
  z.object({ type: z.literal("request_resolved"), requestId: Id, outcome: RequestOutcome }),
  z.object({ type: z.literal("state"), state: SessionState, reason: z.string().optional() }),
  /** A model call is over: the sums with it, and what it used by itself. */
  z.object({ type: z.literal("usage"), usage: SessionUsage, call: ModelUse.optional() }),
  z.object({ type: z.literal("compaction"), summary: z.string().optional() }),
  z.object({
    type: z.literal("rate_limit"),
    /** ISO 8601; `null` where the provider did not say. */
    resetAt: z.string().nullable(),
    attempt: z.int().min(0),
    /** The turn can't go on before the reset. */
    hard: z.boolean(),
  }),
  z.object({ type: z.literal("session_id"), agentSessionId: z.string() }),
  z.object({
    type: z.literal("plan"),
    entries: z.array(
      z.object({
        text: z.string(),
        status: z.enum(["pending", "in_progress", "completed"]),
      }),
    ),
  }),
  z.object({
    type: z.literal("file_change"),
    path: z.string(),
    kind: z.enum(["created", "changed", "removed"]),
    /** A unified diff, where it is small enough. */
    patch: z.string().optional(),
  }),
  /** Something went wrong or was left out that the turn survives: a hook that threw, a server that did not start. */
  z.object({ type: z.literal("notice"), message: z.string() }),
  /** What the agent said, as it said it, for audit. */
  z.object({ type: z.literal("raw"), source: z.string(), value: Json }),
  z.object({ type: z.literal("error"), error: WireError }),
  /** The agent's program is gone by itself; the next turn starts it anew. */
  z.object({ type: z.literal("agent_exited"), error: WireError }),
  z.object({ type: z.literal("turn_end"), result: TurnResult }),
]);
export type SessionHappening = z.infer<typeof SessionHappening>;

/** One entry of a session's transcript. `seq` has no gaps; a reader goes on from the last one that it has. */
export const SessionEvent = z
  .object({
    seq: z.int().min(1),
    turnId: Id.nullable(),
    /** The subagent's session, where it is not the main agent's. */
    agent: Id.optional(),
    /** Milliseconds since 1970. */
    at: z.number(),
  })
  .and(SessionHappening);
export type SessionEvent = z.infer<typeof SessionEvent>;
