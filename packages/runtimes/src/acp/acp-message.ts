import { Json } from "@agentos/protocol";
import * as z from "zod";

/** What is read of an agent's messages, version 1. What is not here is let through: agents add to it freely. */

const ConfigOption = z.object({
  id: z.string(),
  category: z.string().nullish(),
  currentValue: z.unknown().optional(),
  options: z
    .array(z.object({ value: z.string(), name: z.string() }))
    .nullish()
    .catch(undefined),
});

export const InitializeResult = z.object({
  protocolVersion: z.number(),
  agentCapabilities: z
    .object({
      loadSession: z.boolean().nullish(),
      promptCapabilities: z.object({ image: z.boolean().nullish() }).nullish(),
      sessionCapabilities: z.object({ resume: z.unknown().optional() }).nullish(),
    })
    .nullish(),
});
export type InitializeResult = z.infer<typeof InitializeResult>;

export const SessionResult = z.object({
  sessionId: z.string().nullish(),
  models: z.unknown().optional(),
  modes: z
    .object({
      currentModeId: z.string(),
      availableModes: z.array(z.object({ id: z.string(), name: z.string() })),
    })
    .nullish()
    .catch(undefined),
  configOptions: z.array(ConfigOption).nullish(),
});
export type SessionResult = z.infer<typeof SessionResult>;

const count = z.int().min(0).nullish();

export const PromptResult = z.object({
  stopReason: z.string(),
  usage: z
    .object({
      inputTokens: count,
      outputTokens: count,
      totalTokens: count,
      thoughtTokens: count,
      cachedReadTokens: count,
      cachedWriteTokens: count,
    })
    .nullish(),
});
export type PromptResult = z.infer<typeof PromptResult>;

const TextBlock = z.object({ type: z.string(), text: z.string().optional() });

const ToolContent = z.object({
  type: z.string(),
  content: TextBlock.optional(),
  path: z.string().optional(),
  oldText: z.string().nullish(),
});

/** What is told of a tool call; fields that are not there keep their value. */
export const ToolFields = z.object({
  toolCallId: z.string(),
  title: z.string().nullish(),
  kind: z.string().nullish(),
  status: z.string().nullish(),
  rawInput: Json.nullish(),
  rawOutput: Json.nullish(),
  content: z.array(ToolContent).nullish(),
  locations: z.array(z.object({ path: z.string() })).nullish(),
});
export type ToolFields = z.infer<typeof ToolFields>;

export const UpdateParams = z.object({
  sessionId: z.string(),
  update: z.object({ sessionUpdate: z.string() }).catchall(Json),
});

export const ChunkUpdate = z.object({ content: TextBlock });

export const ModeUpdate = z.object({ currentModeId: z.string() });

export const PlanUpdate = z.object({
  entries: z.array(
    z.object({
      content: z.string(),
      status: z.enum(["pending", "in_progress", "completed"]).catch("pending"),
    }),
  ),
});

export const PermissionParams = z.object({
  sessionId: z.string(),
  toolCall: ToolFields,
  options: z.array(z.object({ optionId: z.string(), kind: z.string() })),
});
export type PermissionParams = z.infer<typeof PermissionParams>;
