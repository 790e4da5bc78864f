import * as z from "zod";

import { Id } from "../ids.ts";
import { ToolCall } from "./tool.ts";
import { JsonObject } from "./json.ts";

export const Question = z.object({
  question: z.string(),
  options: z.array(z.object({ id: z.string(), text: z.string() })),
  multiSelect: z.boolean(),
});
export type Question = z.infer<typeof Question>;

/** What an agent waits for a person to say: durable, answered once, however late. */
export const PendingRequest = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("permission"),
    requestId: Id,
    turnId: Id,
    askedAt: z.number(),
    call: ToolCall,
    /** SHA-256 of the call's canonical JSON, session and fence: an answer is for exactly this. */
    digest: z.string(),
    reason: z.string().optional(),
  }),
  z.object({
    kind: z.literal("question"),
    requestId: Id,
    turnId: Id,
    askedAt: z.number(),
    questions: z.array(Question).min(1).max(16),
    /** The same of the questions. */
    digest: z.string(),
  }),
]);
export type PendingRequest = z.infer<typeof PendingRequest>;

const QuestionResponse = z.object({
  selectedOptionIds: z.array(z.string()).optional(),
  freeform: z.string().optional(),
  skipped: z.boolean().optional(),
});

export const RequestAnswer = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("permission"),
    decision: z.enum(["allow", "deny"]),
    /** Also for every later call of this tool in the session. */
    remember: z.enum(["once", "session"]).optional(),
    /** Told to the agent. */
    message: z.string().max(4096).optional(),
    /** Fields that replace those of the input. */
    input: JsonObject.optional(),
  }),
  z.strictObject({
    kind: z.literal("question"),
    responses: z.array(QuestionResponse).min(1).max(16),
  }),
]);
export type RequestAnswer = z.infer<typeof RequestAnswer>;

export const RequestOutcome = z.enum(["allowed", "denied", "answered", "unanswered", "cancelled"]);
export type RequestOutcome = z.infer<typeof RequestOutcome>;
