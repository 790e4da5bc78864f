import type { RelayEvent } from "@agentos/client";

import type { FrameWriter } from "./frame-writer.ts";
import type { PendingMessages } from "./pending-messages.ts";
import type { RelayGate } from "./relay-gate.ts";

type DeliveryEvent = Extract<RelayEvent, { type: "delivery" }>;

/** A delivery that has not come to its end. */
interface Open {
  readonly name: string;
  readonly eventId: string;
  attempts: number;
  /** What was told of it. */
  readonly told: Set<string>;
}

/** A delivery that waits, as `get_status` tells it. */
export interface PendingDelivery {
  readonly delivery_id: string;
  readonly worker_name: string;
  readonly event_id: string;
  readonly attempts: number;
}

export interface DeliveryEventsOptions {
  readonly gate: RelayGate;
  readonly pending: PendingMessages | undefined;
  readonly writer: FrameWriter;
}

/** Tells a v1 client of messages and what becomes of them: each kind once for a delivery, and nothing after its end. */
export class DeliveryEvents {
  readonly #options: DeliveryEventsOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: DeliveryEventsOptions) {
    this.#options = options;
  }

  /** Those that wait. */
  get pending(): PendingDelivery[] {
    return [...this.#open].map(([delivery_id, { name, eventId, attempts }]) => ({
      delivery_id,
      worker_name: name,
      event_id: eventId,
      attempts,
    }));
  }

  async inbound(event: Extract<RelayEvent, { type: "message" }>): Promise<void> {
    const { gate } = this.#options;
    const { messageId, from, to } = event;
    const found = await gate.message(messageId).catch(() => undefined);
    // A copy for a shadow, or the relay's own word to a sender.
    if (found === undefined || found.kind === "copy" || found.kind === "notice") return;
    const { text, data, threadId, deliveries } = found;
    await this.#emit("relay_inbound", event, {
      event_id: messageId,
      from,
      target: to,
      body: text,
      thread_id: threadId,
      ...(data === undefined ? {} : { data }),
    });
    for (const { deliveryId, recipient: agent } of deliveries) {
      const accepted = { ...event, type: "delivery", agent, deliveryId, attempts: 1 } as const;
      // oxlint-disable-next-line no-await-in-loop -- In order.
      await this.delivery({ ...accepted, state: "accepted" });
    }
  }

  async delivery(event: DeliveryEvent): Promise<void> {
    const { deliveryId, messageId, agent: name, state, attempts } = event;
    const open = this.#open.get(deliveryId) ?? {
      name,
      eventId: messageId,
      attempts,
      told: new Set(),
    };
    this.#open.set(deliveryId, open);
    if (attempts > open.attempts && attempts > 1) {
      open.attempts = attempts;
      await this.#emit("delivery_retry", event, { ...base(event), attempts });
    }
    if (state !== "accepted" && state !== "queued") this.#options.pending?.settle(messageId, name);
    const confirmation = event.confirmation ?? "none";
    if (state === "accepted") await this.#once(open, "delivery_queued", event, confirmation);
    else if (state === "handed_over") await this.#handedOver(open, event, confirmation);
    else if (state === "consumed") await this.#consumed(open, event, confirmation);
    else if (state === "answered") await this.#once(open, "delivery_verified", event, confirmation);
    else if (state !== "queued") await this.#failed(event);
    const isOver =
      state === "answered" || !["accepted", "queued", "handed_over", "consumed"].includes(state);
    if (isOver) this.#open.delete(deliveryId);
  }

  async #handedOver(open: Open, event: DeliveryEvent, confirmation: string): Promise<void> {
    await this.#once(open, "delivery_injected", event, confirmation);
    // Of what is typed nothing more is ever known: v1 clients would wait for ever.
    if (confirmation === "written" || confirmation === "echo")
      await this.#once(open, "delivery_ack", event, confirmation);
    if (confirmation === "echo") await this.#once(open, "delivery_verified", event, confirmation);
  }

  async #consumed(open: Open, event: DeliveryEvent, confirmation: string): Promise<void> {
    await this.#once(open, "delivery_injected", event, confirmation);
    await this.#once(open, "delivery_ack", event, confirmation);
    if (confirmation !== "turn" || open.told.has("delivery_active")) return;
    open.told.add("delivery_active");
    await this.#emit("delivery_active", event, { ...base(event), pattern: "turn" });
  }

  async #once(open: Open, kind: string, event: DeliveryEvent, confirmation: string): Promise<void> {
    if (open.told.has(kind)) return;
    open.told.add(kind);
    const fields = { ...base(event), confirmation };
    const verified = kind === "delivery_verified" ? { verification: confirmation } : {};
    await this.#emit(kind, event, { ...fields, ...verified });
  }

  async #failed(event: DeliveryEvent): Promise<void> {
    const { agent: name, deliveryId, messageId, state } = event;
    const reason = event.reason ?? state;
    await this.#emit("delivery_failed", event, {
      ...base(event),
      reason: FAILURES[reason] ?? reason,
    });
    // What an agent has seen was delivered, however it ended.
    const dropped = state === "dead_lettered" ? DROPS[reason] : undefined;
    if (dropped === undefined) return;
    const fields = { name, count: 1, reason: dropped, delivery_ids: [deliveryId] };
    await this.#emit("delivery_dropped", event, { ...fields, event_id: messageId });
  }

  async #emit(kind: string, { at }: RelayEvent, fields: Record<string, unknown>): Promise<void> {
    await this.#options.writer.event(kind, { ...fields, timestamp: at });
  }
}

function base({ agent: name, deliveryId, messageId }: DeliveryEvent): Record<string, unknown> {
  return { name, delivery_id: deliveryId, event_id: messageId };
}

/** Reasons as v1 clients know them. */
const FAILURES: Readonly<Record<string, string>> = {
  agent_dead: "agent_exited",
  released: "cancelled",
  expired: "timeout",
  too_old: "timeout",
  too_many_attempts: "dead_letter",
  mailbox_full: "rejected",
};
const DROPS: Readonly<Record<string, string>> = {
  released: "released",
  agent_exited: "worker_exited",
  agent_dead: "worker_permanently_dead",
};
