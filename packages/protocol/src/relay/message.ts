import * as z from "zod";

import { Id } from "../ids.ts";
import { JsonObject } from "../session/json.ts";
import { DeliveryMode } from "./agent-spec.ts";

export const LARGEST_MESSAGE_BYTES = 1024 * 1024;

/** 0 is urgent, 4 can wait. Default 2. */
export const Priority = z.int().min(0).max(4);

export const ThreadId = z.string().min(1).max(256);

/** Bytes as UTF-8, as messages are measured. */
export const MessageText = z
  .string()
  .refine(
    (text) => Buffer.byteLength(text) <= LARGEST_MESSAGE_BYTES,
    "expected at most 1 MiB of text",
  );

/** What was sent. `notice`: the relay's own word on a message that was not delivered. */
export const RelayMessage = z.object({
  messageId: Id,
  kind: z.enum(["message", "task", "nudge", "notice", "copy"]),
  from: z.string(),
  /** As it was written. */
  to: z.string(),
  text: z.string(),
  threadId: ThreadId,
  replyTo: Id.optional(),
  priority: Priority,
  data: JsonObject.optional(),
  mode: DeliveryMode.optional(),
  /** Milliseconds since 1970. */
  at: z.number(),
});
export type RelayMessage = z.infer<typeof RelayMessage>;

/**
 * How far a message came, at one of those that it is for. Only what was seen is told: none of these is reached by
 * time alone.
 */
export const DeliveryState = z.enum([
  /** Stored: it survives the sidecar. */
  "accepted",
  /** In the mailbox of a living agent. */
  "queued",
  /** The agent's runtime took it. */
  "handed_over",
  /** A turn began with it, or its reader took it. */
  "consumed",
  /** The turn ended, or a reply came. */
  "answered",
  "failed",
  /** It was older than messages may get. */
  "expired",
  /** Nobody can get it any more; kept, to be redelivered. */
  "dead_lettered",
]);
export type DeliveryState = z.infer<typeof DeliveryState>;

/** What a state was seen by. `written`: given to a terminal, and nothing proves more; `echo`: and it was on its screen. */
export const Confirmation = z.enum(["turn", "steer", "reply", "read", "echo", "written", "none"]);
export type Confirmation = z.infer<typeof Confirmation>;

export const DeliveryReason = z.enum([
  "released",
  "agent_exited",
  "agent_dead",
  "vm_ended",
  "mailbox_full",
  "too_old",
  "too_many_attempts",
  "cancelled",
  /** The sidecar was killed while the turn with it ran. */
  "interrupted",
  "turn_failed",
  "rejected",
]);
export type DeliveryReason = z.infer<typeof DeliveryReason>;

/** One message on its way to one recipient. */
export const Delivery = z.object({
  deliveryId: Id,
  messageId: Id,
  /** An agent's name, or `human:…`. */
  recipient: z.string(),
  state: DeliveryState,
  reason: DeliveryReason.optional(),
  detail: z.string().optional(),
  attempts: z.int(),
  history: z.array(
    z.object({ state: DeliveryState, at: z.number(), confirmation: Confirmation.optional() }),
  ),
});
export type Delivery = z.infer<typeof Delivery>;

/** A message with what became of it at one recipient. */
export const InboxEntry = z.object({ message: RelayMessage, delivery: Delivery });
export type InboxEntry = z.infer<typeof InboxEntry>;
