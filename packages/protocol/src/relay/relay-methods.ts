import * as z from "zod";

import { Id, VmId } from "../ids.ts";
import { Nothing } from "../nothing.ts";
import { JsonObject } from "../session/json.ts";
import { VmScope } from "../vm.ts";
import { AgentInfo, AgentMetrics, RelayCounts, RelayHealth } from "./agent-info.ts";
import { AgentName, ChannelName } from "./agent-name.ts";
import { Continuity } from "./continuity.ts";
import { AgentSpec, DeliveryMode } from "./agent-spec.ts";
import {
  Delivery,
  InboxEntry,
  LARGEST_MESSAGE_BYTES,
  MessageText,
  Priority,
  RelayMessage,
  ThreadId,
} from "./message.ts";
import { RelayEvent } from "./relay-event.ts";

const AgentRef = z.object({ name: z.string().min(1).max(128) });
/** `human:…`, `system`, or an agent's name. Default `human:orchestrator`. */
const Speaker = z.string().max(256);
const Limit = z.int().min(1).max(1_000);

/** The methods of the relay; a part of METHODS. */
export const RELAY_METHODS = {
  "relay.spawn": {
    scope: "vm",
    summary:
      "Start an agent in the VM; answered once it is there. The same agentId again is the same agent.",
    params: VmScope.extend({ agentId: Id, agent: AgentSpec }),
    result: z.object({
      agent: AgentInfo,
      /** The log's last seq before it. */
      seq: z.int(),
      /** What was asked for and could not be: a continuity that is not there. */
      warning: z.string().optional(),
    }),
  },
  "relay.release": {
    scope: "user",
    summary: "End an agent; answered once it is gone. What waits for it becomes dead letters.",
    params: AgentRef.extend({ reason: z.string().max(4096).optional() }),
    result: Nothing,
  },
  "relay.agents": {
    scope: "user",
    summary: "The agents that live.",
    params: z.object({ vmId: VmId.optional(), channel: ChannelName.optional() }),
    result: z.object({ agents: z.array(AgentInfo) }),
  },
  "relay.agent": {
    scope: "user",
    summary: "One agent, its last state where it is gone.",
    params: AgentRef,
    result: AgentInfo,
  },
  "relay.continuity": {
    scope: "user",
    summary: "What the last released agent of a name left.",
    params: AgentRef,
    result: Continuity,
  },
  "relay.input": {
    scope: "user",
    summary: "Type into an agent's terminal; answers how many bytes it took.",
    params: AgentRef.extend({ data: z.string().max(65_536) }),
    result: z.object({ bytes: z.int() }),
  },
  "relay.hold": {
    scope: "user",
    summary: "Keep an agent's messages in its mailbox, or deliver them as they come again.",
    params: AgentRef.extend({ held: z.boolean() }),
    result: Nothing,
  },
  "relay.flush": {
    scope: "user",
    summary: "Deliver what an agent's mailbox holds now; answers how many there are.",
    params: AgentRef,
    result: z.object({ count: z.int() }),
  },
  "relay.setModel": {
    scope: "user",
    summary: "Switch an agent's model; answered once the agent confirmed it.",
    params: AgentRef.extend({
      model: z.string().min(1).max(256),
      timeoutMs: z.int().min(1).optional(),
    }),
    result: z.object({ model: z.string() }),
  },
  "relay.append": {
    scope: "user",
    summary: "The next piece of a text that is too long for one request; `relay.send` takes it.",
    params: z.object({ messageId: Id, offset: z.int().min(0), text: z.string() }),
    result: Nothing,
  },
  "relay.send": {
    scope: "user",
    summary:
      "Send a message; answered once it is stored. The same messageId again is the same message.",
    params: z.object({
      messageId: Id,
      /** An agent, `@agent`, `#channel`, `team:…`, `human:…`, or `*`: everybody. */
      to: z.string().min(1).max(256),
      /** Absent: what was appended. */
      text: MessageText.optional(),
      from: Speaker.nullish(),
      threadId: ThreadId.nullish(),
      /** The message that it answers: its thread is taken. */
      replyTo: Id.nullish(),
      priority: Priority.nullish(),
      data: JsonObject.nullish(),
      mode: DeliveryMode.nullish(),
    }),
    result: z.object({
      messageId: Id,
      threadId: ThreadId,
      state: z.literal("accepted"),
      deliveries: z.array(z.object({ deliveryId: Id, recipient: z.string() })),
      /** The log's last seq before it. */
      seq: z.int(),
    }),
  },
  "relay.message": {
    scope: "user",
    summary: "A message and what became of it. A long text comes in pieces.",
    params: z.object({ messageId: Id, offset: z.int().min(0).optional() }),
    result: z.object({
      message: RelayMessage,
      deliveries: z.array(Delivery),
      /** Characters of the whole text; `message.text` begins at `offset`. */
      length: z.int().max(LARGEST_MESSAGE_BYTES),
    }),
  },
  "relay.inbox": {
    scope: "user",
    summary: "What waits for somebody, oldest first.",
    params: z.object({
      /** An agent's name, or `human:…`. Default `human:orchestrator`. */
      of: Speaker.optional(),
      /** What was read already, too. */
      all: z.boolean().optional(),
      limit: Limit.optional(),
    }),
    result: z.object({ entries: z.array(InboxEntry), more: z.boolean() }),
  },
  "relay.read": {
    scope: "user",
    summary: "A person has read these: they are consumed, and no longer in the inbox.",
    params: z.object({ deliveryIds: z.array(Id).max(1_000) }),
    result: Nothing,
  },
  "relay.history": {
    scope: "user",
    summary: "Messages, newest first: of a channel, a thread, an agent, or with a text in them.",
    params: z.object({
      channel: ChannelName.optional(),
      threadId: ThreadId.optional(),
      agent: z.string().max(256).optional(),
      text: z.string().min(1).max(1024).optional(),
      before: Id.optional(),
      limit: Limit.optional(),
    }),
    result: z.object({ messages: z.array(RelayMessage) }),
  },
  "relay.channels": {
    scope: "user",
    summary: "The channels with their members.",
    params: Nothing,
    result: z.object({
      channels: z.array(z.object({ name: z.string(), members: z.array(z.string()) })),
    }),
  },
  "relay.join": {
    scope: "user",
    summary: "Make an agent a member of a channel.",
    params: z.object({ name: AgentName, channel: ChannelName }),
    result: Nothing,
  },
  "relay.leave": {
    scope: "user",
    summary: "End an agent's membership.",
    params: z.object({ name: AgentName, channel: ChannelName }),
    result: Nothing,
  },
  "relay.threads": {
    scope: "user",
    summary: "The threads, the one that was written to last first.",
    params: z.object({ limit: Limit.optional() }),
    result: z.object({
      threads: z.array(
        z.object({
          threadId: ThreadId,
          messages: z.int(),
          participants: z.array(z.string()),
          lastAt: z.number(),
          preview: z.string(),
        }),
      ),
    }),
  },
  "relay.deadLetters": {
    scope: "user",
    summary: "Messages that nobody got, newest first.",
    params: z.object({ limit: Limit.optional() }),
    result: z.object({ entries: z.array(InboxEntry) }),
  },
  "relay.redeliver": {
    scope: "user",
    summary: "Send a dead letter again: to the agent of that name that lives now, or to another.",
    params: z.object({ deliveryId: Id, to: z.string().min(1).max(256).optional() }),
    result: z.object({ deliveryId: Id, recipient: z.string() }),
  },
  "relay.events": {
    scope: "user",
    summary:
      "The relay's log after a seq, a bounded batch at a time. Without any it waits for the first, up to `waitMs`.",
    params: z.object({
      after: z.int().min(0),
      limit: z.int().min(1).max(10_000).optional(),
      /** Of those that match, the last `limit` ones instead of the first. Never waits. */
      newest: z.boolean().optional(),
      waitMs: z.int().min(0).max(86_400_000).optional(),
      agent: z.string().max(256).optional(),
      messageId: Id.optional(),
      types: z.array(z.string().max(64)).max(64).optional(),
    }),
    result: z.object({
      events: z.array(RelayEvent),
      /** The seq up to which the log was looked through. */
      seq: z.int(),
      /** Events before this one are gone: older than what the log keeps. */
      oldest: z.int(),
    }),
  },
  "relay.metrics": {
    scope: "user",
    summary: "What agents use now.",
    params: z.object({ name: z.string().min(1).max(128).optional() }),
    result: z.object({ agents: z.array(AgentMetrics), relay: RelayCounts }),
  },
  "relay.health": {
    scope: "user",
    summary: "The agents' crashes, and a score.",
    params: Nothing,
    result: RelayHealth,
  },
  "relay.preflight": {
    scope: "vm",
    summary:
      "Check whether agents could be started in the VM; each answer is an `agent_preflight` event.",
    params: VmScope.extend({ agents: z.array(AgentSpec).max(64) }),
    result: z.object({ queued: z.int(), seq: z.int() }),
  },
} as const;
