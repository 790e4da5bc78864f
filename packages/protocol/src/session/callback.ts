import * as z from "zod";

import { Id } from "../ids.ts";
import { ContentPart } from "./content.ts";
import { HookPoint } from "./hook.ts";
import { Json, JsonObject } from "./json.ts";
import { CallbackName } from "./policy.ts";
import { RequestAnswer } from "./request.ts";
import { ToolCall } from "./tool.ts";

/** A function of the client that the sidecar asks. `callId` makes a repeated one recognisable. */
export const CallbackParams = z.object({
  sessionId: Id,
  turnId: Id.nullable(),
  callback: CallbackName,
  callId: z.string().min(1).max(128),
  ask: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("hook"), point: HookPoint, data: JsonObject }),
    z.object({ kind: z.literal("predicate"), call: ToolCall }),
    z.object({ kind: z.literal("handler"), call: ToolCall }),
    z.object({ kind: z.literal("tool"), name: z.string(), input: Json }),
    z.object({ kind: z.literal("trigger"), changes: z.array(z.string()) }),
    /** A custom step of a workflow, or what verifies one; `sessionId` is the run's id. */
    z.object({
      kind: z.literal("step"),
      step: z.string(),
      attempt: z.int(),
      params: z.record(z.string(), z.string()),
    }),
    z.object({ kind: z.literal("verification"), step: z.string(), output: z.string() }),
  ]),
});
export type CallbackParams = z.infer<typeof CallbackParams>;

/** What it answered, by the kind of what it was asked. A throwing function is a failure of the request. */
export const CallbackResult = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("hook"),
    /** Of a decider. Absent: allowed. */
    allow: z.boolean().optional(),
    message: z.string().optional(),
    /** pre_tool_call: fields that replace those of the input. */
    input: JsonObject.optional(),
    /** interaction: absent means that the next hook is asked. */
    answer: RequestAnswer.optional(),
    /** stop: go on, with this as the system's message. */
    goOn: z.string().min(1).optional(),
  }),
  z.object({ kind: z.literal("predicate"), matches: z.boolean() }),
  z.object({ kind: z.literal("handler"), allow: z.boolean(), message: z.string().optional() }),
  z.object({ kind: z.literal("tool"), isError: z.boolean(), content: z.array(ContentPart) }),
  z.object({ kind: z.literal("trigger"), prompt: z.string().optional() }),
  z.object({ kind: z.literal("step"), output: z.string() }),
  z.object({ kind: z.literal("verification"), passed: z.boolean(), reason: z.string().optional() }),
]);
export type CallbackResult = z.infer<typeof CallbackResult>;
