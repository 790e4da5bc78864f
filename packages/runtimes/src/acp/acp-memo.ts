import { Json } from "@agentos/protocol";
import * as z from "zod";

/** What names a call and tells what it is to do. */
export const AcpKeptFields = z.object({
  toolCallId: z.string(),
  title: z.string().nullable(),
  kind: z.string().nullable(),
  status: z.string().nullable(),
  rawInput: Json,
  path: z.string().nullable(),
});
export type AcpKeptFields = z.infer<typeof AcpKeptFields>;

/** What another life of the sidecar has to know of a call. */
export const AcpCallMemo = z.object({
  /** What was told first, and all that is known. */
  first: AcpKeptFields,
  fields: AcpKeptFields,
  state: z.enum(["seen", "asked", "denied", "ended", "own"]),
  /** It ran without asking, and the verdict on that is not there. */
  isJudged: z.boolean(),
  /** Characters of its output that were told, and the last of them. */
  told: z.object({ chars: z.int().min(0), tail: z.string() }),
});
export type AcpCallMemo = z.infer<typeof AcpCallMemo>;

/** What it has to know of a running turn. */
export const AcpTurnMemo = z.object({ said: z.string(), calls: z.array(AcpCallMemo) });
export type AcpTurnMemo = z.infer<typeof AcpTurnMemo>;

/** And of the conversation. */
export const AcpMemo = z.object({
  sessionId: z.string(),
  /** The id of the request that has the turn's prompt. Null: it was never sent. */
  promptId: z.int().nullable(),
  takesImages: z.boolean(),
  modelOption: z.string().nullable(),
  modes: z
    .object({
      current: z.string(),
      available: z.array(z.object({ id: z.string(), name: z.string() })),
      option: z.string().nullable(),
    })
    .nullable(),
  turn: Json,
});
export type AcpMemo = z.infer<typeof AcpMemo>;
