import { Json } from "@agentos/protocol";
import * as z from "zod";

/** Fields that are used of what Codex says. */
const Item = z.object({
  type: z.string(),
  id: z.string(),
  text: z.string().optional().catch(undefined),
  status: z.string().optional().catch(undefined),
  aggregatedOutput: z.string().nullish().catch(undefined),
  exitCode: z.int().nullish().catch(undefined),
  changes: z
    .array(
      z.object({
        path: z.string(),
        kind: z.object({ type: z.string() }),
        diff: z.string().optional().catch(undefined),
      }),
    )
    .optional()
    .catch(undefined),
});
export type CodexItem = z.infer<typeof Item>;

const ErrorInfo = z.object({
  message: z.string().catch("no reason was given"),
  codexErrorInfo: Json.optional().catch(undefined),
});
export type CodexError = z.infer<typeof ErrorInfo>;

export const CodexTurn = z.object({
  id: z.string(),
  status: z.string(),
  error: ErrorInfo.nullish().catch(undefined),
});
export type CodexTurn = z.infer<typeof CodexTurn>;

export const ItemParams = z.object({ item: Item });
export const DeltaParams = z.object({ itemId: z.string(), delta: z.string() });
export const TurnParams = z.object({ turn: CodexTurn });
export const ErrorParams = z.object({ error: ErrorInfo, willRetry: z.boolean().catch(false) });
export const PlanParams = z.object({
  plan: z.array(
    z.object({ step: z.string(), status: z.enum(["pending", "inProgress", "completed"]) }),
  ),
});
export const ThreadResult = z.object({ thread: z.object({ id: z.string() }) });
export const TurnResult = z.object({ turn: z.object({ id: z.string() }) });
export const HooksResult = z.object({
  data: z.array(
    z.object({
      hooks: z.array(
        z.object({
          key: z.string(),
          command: z.string().nullish(),
          currentHash: z.string(),
          trustStatus: z.string(),
        }),
      ),
    }),
  ),
});
export const DynamicCall = z.object({
  callId: z.string(),
  tool: z.string(),
  arguments: Json,
});
/** What another life of the sidecar has to know of a running turn. */
export const CodexMemo = z.object({
  threadId: z.string(),
  hookPort: z.int(),
  turnId: z.string().nullable(),
  /** What Codex said last. */
  said: z.string(),
});
export type CodexMemo = z.infer<typeof CodexMemo>;

/** What Codex gives its hook before a tool. */
export const HookInput = z.object({
  tool_name: z.string(),
  tool_input: Json,
  tool_use_id: z.string(),
});
