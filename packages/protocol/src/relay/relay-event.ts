import * as z from "zod";

import { Id } from "../ids.ts";
import { Confirmation, DeliveryReason, DeliveryState, Priority, ThreadId } from "./message.ts";

const agent = z.string();
const ending = { exitCode: z.int().nullable(), signal: z.string().nullable() };

/** What happens in the relay, without its place in the log. */
export const RelayHappening = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("agent_spawned"),
    agent,
    agentId: Id,
    sessionId: Id,
    runtime: z.string(),
    model: z.string().nullable(),
    parent: z.string().nullable(),
  }),
  z.object({ type: z.literal("agent_ready"), agent }),
  z.object({ type: z.literal("agent_idle"), agent, idleMs: z.number() }),
  z.object({ type: z.literal("agent_nudged"), agent, count: z.int() }),
  z.object({ type: z.literal("agent_model"), agent, model: z.string() }),
  z.object({ type: z.literal("agent_held"), agent, held: z.boolean() }),
  /** So many that were held are delivered. */
  z.object({ type: z.literal("agent_flushed"), agent, count: z.int() }),
  z.object({ type: z.literal("agent_exited"), agent, ...ending, reason: z.string() }),
  z.object({
    type: z.literal("agent_restarting"),
    agent,
    ...ending,
    restarts: z.int(),
    delayMs: z.number(),
  }),
  z.object({ type: z.literal("agent_restarted"), agent, restarts: z.int() }),
  z.object({ type: z.literal("agent_dead"), agent, reason: z.string() }),
  z.object({ type: z.literal("agent_released"), agent, reason: z.string(), by: z.string() }),
  z.object({
    type: z.literal("agent_preflight"),
    agent,
    runtime: z.string(),
    ok: z.boolean(),
    detail: z.string(),
  }),
  z.object({ type: z.literal("channel_joined"), agent, channel: z.string() }),
  z.object({ type: z.literal("channel_left"), agent, channel: z.string() }),
  /** A message was accepted; its text is read with `relay.message`. */
  z.object({
    type: z.literal("message"),
    messageId: Id,
    from: z.string(),
    to: z.string(),
    threadId: ThreadId,
    priority: Priority,
    recipients: z.array(z.string()),
    /** The beginning of the text. */
    preview: z.string(),
  }),
  z.object({
    type: z.literal("delivery"),
    agent,
    deliveryId: Id,
    messageId: Id,
    state: DeliveryState,
    confirmation: Confirmation.optional(),
    reason: DeliveryReason.optional(),
    attempts: z.int(),
  }),
  z.object({
    type: z.literal("acl_denied"),
    agent,
    sender: z.string(),
    ownerChain: z.array(z.string()),
  }),
  z.object({ type: z.literal("continuity_saved"), agent }),
]);
export type RelayHappening = z.infer<typeof RelayHappening>;

/** One entry of the relay's log. `seq` has no gaps; a reader goes on from the last one that it has. */
export const RelayEvent = z
  .object({
    seq: z.int().min(1),
    /** Milliseconds since 1970. */
    at: z.number(),
  })
  .and(RelayHappening);
export type RelayEvent = z.infer<typeof RelayEvent>;

export const RELAY_EVENT_TYPES = RelayHappening.options.map((option) => option.shape.type.value);
