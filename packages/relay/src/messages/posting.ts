import { randomUUID } from "node:crypto";

import type { StoredDelivery } from "@agentos/core";
import type { MethodResult, RelayHappening, RelayMessage } from "@agentos/protocol";

import type { Addition } from "../events/journal.ts";
import type { Recipient } from "./recipients.ts";

export type Sent = MethodResult<"relay.send">;

/** A message that has room at its recipients, and what is to be written of it. */
export interface Posting {
  readonly message: RelayMessage;
  readonly recipients: readonly Recipient[];
  readonly deliveries: readonly StoredDelivery[];
  readonly write: Required<Pick<Addition, "addMessages" | "addDeliveries">>;
  readonly told: readonly RelayHappening[];
  /** What its sender is told of those who have no room. */
  readonly notices: readonly Posting[];
}

/** It is not stored: its room is free again. */
export function abandon({ recipients, deliveries, notices }: Posting): void {
  for (const [index, { agent }] of recipients.entries())
    agent?.mailbox.done(deliveries[index]?.deliveryId ?? "");
  for (const notice of notices) abandon(notice);
}

/** What its sender is answered. */
export function sentOf(
  { messageId, threadId }: RelayMessage,
  deliveries: readonly StoredDelivery[],
  seq: number,
): Sent {
  return {
    messageId,
    threadId,
    state: "accepted",
    deliveries: deliveries.map(({ deliveryId, recipient }) => ({ deliveryId, recipient })),
    seq,
  };
}

/** A message on its way to one recipient; a dead letter where that has no room. */
export function newDelivery(
  message: RelayMessage,
  { name, agent, noRoom }: Recipient,
): StoredDelivery {
  const { messageId, at, priority, text } = message;
  const accepted = { state: "accepted" as const, at };
  const next = noRoom === undefined ? ("queued" as const) : ("dead_lettered" as const);
  const prefix = message.kind === "task" ? "init" : "del";
  return {
    deliveryId: `${prefix}_${randomUUID()}`,
    messageId,
    recipient: name,
    agentId: agent?.agentId ?? null,
    state: next,
    ...(noRoom === undefined ? {} : { reason: "mailbox_full" as const }),
    attempts: 0,
    history: [accepted, { state: next, at }],
    priority,
    bytes: Buffer.byteLength(text),
    acceptedAt: at,
    sessionSeq: null,
  };
}
