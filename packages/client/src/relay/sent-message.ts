import {
  AgentOsError,
  type Delivery,
  type DeliveryState,
  type MethodResult,
  type RelayMessage,
} from "@agentos/protocol";

import { readRelayEvents } from "./relay-events.ts";
import type { RelayLink } from "./relay-link.ts";

/** States in the order in which they are reached; the ends that are no success come with all of them. */
const ORDER: readonly DeliveryState[] = [
  "accepted",
  "queued",
  "handed_over",
  "consumed",
  "answered",
];

export interface MessageWaitOptions {
  /** Default: as long as it takes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A message that was accepted: where it goes, and what becomes of it. */
export class SentMessage {
  readonly id: string;
  readonly threadId: string;
  /** Whom it goes to. */
  readonly recipients: readonly string[];
  readonly #link: RelayLink;
  readonly #seq: number;

  constructor(link: RelayLink, sent: MethodResult<"relay.send">) {
    this.#link = link;
    this.id = sent.messageId;
    this.threadId = sent.threadId;
    this.recipients = sent.deliveries.map(({ recipient }) => recipient);
    this.#seq = sent.seq;
  }

  /** What became of it by now, at each recipient. */
  async deliveries(): Promise<Delivery[]> {
    const { deliveries } = await this.#link.request("relay.message", { messageId: this.id });
    return deliveries;
  }

  /**
   * Resolves once it came so far at every recipient. Rejects with `NOT_DELIVERED` where one can't any more, and with
   * `DEADLINE_EXCEEDED` at the time-out.
   */
  async until(state: DeliveryState, options: MessageWaitOptions = {}): Promise<Delivery[]> {
    return await this.#within(options, `a message's state ${state}`, async (signal) => {
      const seen = await this.deliveries();
      if (seen.every((delivery) => hasReached(delivery, state))) return seen;
      const filter = { messageId: this.id, types: ["delivery"] as const, after: this.#seq, signal };
      for await (const { seq } of readRelayEvents(this.#link, filter)) {
        if (seq <= this.#seq) continue;
        const deliveries = await this.deliveries();
        if (deliveries.every((delivery) => hasReached(delivery, state))) return deliveries;
      }
      throw new AgentOsError("CANCELLED", "the relay's log ended", { operation: "until" });
    });
  }

  /** The first reply to it. Rejects where it can't come any more, or at the time-out. */
  async reply(options: MessageWaitOptions = {}): Promise<RelayMessage> {
    return await this.#within(options, "a reply", async (signal) => {
      const filter = { after: this.#seq, types: ["message", "delivery"] as const, signal };
      for await (const event of readRelayEvents(this.#link, filter)) {
        if (event.type === "delivery" && event.messageId === this.id) assertAlive(event);
        if (event.type !== "message" || event.threadId !== this.threadId) continue;
        const { message } = await this.#link.request("relay.message", {
          messageId: event.messageId,
        });
        if (message.replyTo === this.id) return message;
      }
      throw new AgentOsError("CANCELLED", "the relay's log ended", { operation: "reply" });
    });
  }

  async #within<T>(
    { timeoutMs, signal }: MessageWaitOptions,
    operation: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const late = timeoutMs === undefined ? undefined : AbortSignal.timeout(Math.max(1, timeoutMs));
    const signals = [signal, late].filter((each) => each !== undefined);
    try {
      return await work(AbortSignal.any(signals));
    } catch (error) {
      if (late?.aborted !== true || signal?.aborted === true) throw error;
      const deadlineMs = timeoutMs ?? 0;
      const message = `${operation} did not come within ${deadlineMs} ms`;
      throw new AgentOsError("DEADLINE_EXCEEDED", message, { operation, deadlineMs });
    }
  }
}

function hasReached(delivery: Delivery, state: DeliveryState): boolean {
  const hasState = delivery.history.some(
    (each) => ORDER.indexOf(each.state) >= ORDER.indexOf(state),
  );
  if (hasState || delivery.state === state) return true;
  assertAlive({ ...delivery, agent: delivery.recipient });
  return false;
}

/** Throws `NOT_DELIVERED` where nothing more will come. */
function assertAlive({
  agent,
  state,
  reason,
  messageId,
}: Pick<Delivery, "state" | "reason" | "messageId"> & { agent: string }): void {
  if (ORDER.includes(state)) return;
  const why = reason ?? "unknown";
  const message = `message ${messageId} did not reach ${agent}: ${state}, ${why}`;
  throw new AgentOsError("NOT_DELIVERED", message, {
    messageId,
    recipient: agent,
    state,
    reason: why,
  });
}
