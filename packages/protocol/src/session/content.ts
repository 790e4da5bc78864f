import * as z from "zod";

import { VmPath } from "../ids.ts";

const MediaType = z
  .string()
  .regex(/^[a-z]+\/[A-Za-z0-9.+-]{1,100}$/, "expected a media type such as image/png");

/** One piece of a prompt or of a tool's result. Bytes too large for one message travel as a file of the VM. */
export const ContentPart = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({
    type: z.literal("image"),
    mediaType: MediaType,
    /** Exactly one of the two: base64, or a file in the VM. */
    data: z.base64().optional(),
    path: VmPath.optional(),
  }),
  z.object({
    type: z.literal("file"),
    mediaType: MediaType,
    name: z.string().max(255).optional(),
    data: z.base64().optional(),
    path: VmPath.optional(),
  }),
]);
export type ContentPart = z.infer<typeof ContentPart>;

/** What is said to an agent: text is text, and never read as JSON. */
export const Content = z.union([z.string(), z.array(ContentPart).min(1).max(64)]);
export type Content = z.infer<typeof Content>;

/** An earlier exchange that an agent starts from. */
export const ChatMessage = z.object({
  role: z.enum(["user", "assistant"]),
  content: Content,
});
export type ChatMessage = z.infer<typeof ChatMessage>;
