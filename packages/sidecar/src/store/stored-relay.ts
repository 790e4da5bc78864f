import type { StoredAgent, StoredDelivery } from "@agentos/core";
import {
  AgentSpec,
  AgentState,
  Confirmation,
  DeliveryReason,
  DeliveryState,
  RelayMessage,
} from "@agentos/protocol";
import * as z from "zod";

import type { SealedText } from "./sealed-text.ts";

const AgentRow = z.object({
  agent_id: z.string(),
  name: z.string(),
  vm_id: z.string(),
  spec: z.instanceof(Uint8Array),
  state: AgentState,
  channels: z.string(),
  model: z.string().nullable(),
  restarts: z.int(),
  held: z.int(),
  created_at: z.int(),
});

/** Throws where a column holds what no version wrote. */
export function readStoredAgent(row: unknown, sealed: SealedText): StoredAgent {
  const columns = AgentRow.parse(row);
  return {
    agentId: columns.agent_id,
    name: columns.name,
    vmId: columns.vm_id,
    spec: AgentSpec.parse(JSON.parse(sealed.open(columns.spec))),
    state: columns.state,
    channels: z.array(z.string()).parse(JSON.parse(columns.channels)),
    model: columns.model,
    restarts: columns.restarts,
    held: columns.held === 1,
    createdAt: columns.created_at,
  };
}

const DeliveryRow = z.object({
  delivery_id: z.string(),
  message_id: z.string(),
  recipient: z.string(),
  agent_id: z.string().nullable(),
  state: DeliveryState,
  reason: DeliveryReason.nullable(),
  detail: z.string().nullable(),
  attempts: z.int(),
  history: z.string(),
  priority: z.int(),
  bytes: z.int(),
  accepted_at: z.int(),
  session_seq: z.int().nullable(),
});

const History = z.array(
  z.object({ state: DeliveryState, at: z.number(), confirmation: Confirmation.optional() }),
);

export function readStoredDelivery(row: unknown): StoredDelivery {
  const columns = DeliveryRow.parse(row);
  return {
    deliveryId: columns.delivery_id,
    messageId: columns.message_id,
    recipient: columns.recipient,
    agentId: columns.agent_id,
    state: columns.state,
    ...(columns.reason === null ? {} : { reason: columns.reason }),
    ...(columns.detail === null ? {} : { detail: columns.detail }),
    attempts: columns.attempts,
    history: History.parse(JSON.parse(columns.history)),
    priority: columns.priority,
    bytes: columns.bytes,
    acceptedAt: columns.accepted_at,
    sessionSeq: columns.session_seq,
  };
}

const MessageRow = z.object({ message: z.string() });

export function readMessage(row: unknown): RelayMessage {
  return RelayMessage.parse(JSON.parse(MessageRow.parse(row).message));
}
