import { ContentPart, JsonObject } from "@agentos/protocol";
import * as z from "zod";

/** What a provider wants to see again with its own words: signatures of thoughts and the like. */
const meta = JsonObject.optional();

const AssistantPart = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string(), meta }),
  z.object({ type: z.literal("thinking"), text: z.string(), meta }),
  z.object({
    type: z.literal("tool_call"),
    callId: z.string(),
    name: z.string(),
    input: JsonObject,
    meta,
  }),
]);
export type AssistantPart = z.infer<typeof AssistantPart>;

const StoredToolResult = z.object({
  callId: z.string(),
  name: z.string(),
  outcome: z.enum(["ok", "failed", "denied", "cancelled"]),
  content: z.array(ContentPart),
});
export type StoredToolResult = z.infer<typeof StoredToolResult>;

/** One message of an API agent's conversation, as it is kept: no provider's form, so that any can go on with it. */
export const StoredMessage = z.discriminatedUnion("role", [
  z.object({
    role: z.literal("user"),
    /** The turn that began with it; `null` for what came before the first one. */
    turnId: z.string().nullable(),
    from: z.enum(["user", "hook", "history", "summary"]),
    content: z.array(ContentPart),
  }),
  z.object({
    role: z.literal("assistant"),
    parts: z.array(AssistantPart),
    /** Tokens of the conversation up to here, this message included; `null` where the provider did not say. */
    contextTokens: z.int().nullable(),
  }),
  z.object({ role: z.literal("tool"), results: z.array(StoredToolResult) }),
]);
export type StoredMessage = z.infer<typeof StoredMessage>;

/** The first entry of a runtime's state: whose messages follow, in which form. */
export const StoredHeader = z.object({
  version: z.literal(1),
  agentSessionId: z.string(),
});
export type StoredHeader = z.infer<typeof StoredHeader>;
