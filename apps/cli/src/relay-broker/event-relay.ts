import type { RelayEvent } from "@agentos/client";

import type { BrokerAgents } from "./broker-agents.ts";
import { type FrameWriter, piecesOf } from "./frame-writer.ts";
import type { HeldEvents } from "./held-events.ts";
import type { PendingMessages } from "./pending-messages.ts";
import type { RelayGate } from "./relay-gate.ts";

type DeliveryEvent = Extract<RelayEvent, { type: "delivery" }>;
type AgentEvent = Extract<RelayEvent, { agent: string }>;

/** A delivery that has not come to its end. */
interface Open {
  readonly name: string;
  readonly eventId: string;
  attempts: number;
  /** What was told of it. */
  readonly told: Set<string>;
}

export interface EventRelayOptions {
  readonly gate: RelayGate;
  readonly pending: PendingMessages | undefined;
  readonly agents: BrokerAgents;
  readonly writer: FrameWriter;
  readonly held: HeldEvents;
  readonly warn: (text: string) => void;
}

/** Tells a v1 client what happens in the relay, in the kinds and fields that it knows. */
export class EventRelay {
  readonly #options: EventRelayOptions;
  readonly #open = new Map<string, Open>();
  readonly #readers = new Map<string, AbortController>();
  readonly #life = new AbortController();

  constructor(options: EventRelayOptions) {
    this.#options = options;
  }

  /** Deliveries that wait, as `get_status` tells them. */
  get pending(): {
    delivery_id: string;
    worker_name: string;
    event_id: string;
    attempts: number;
  }[] {
    return [...this.#open].map(([delivery_id, { name, eventId, attempts }]) => ({
      delivery_id,
      worker_name: name,
      event_id: eventId,
      attempts,
    }));
  }

  stop(): void {
    this.#life.abort();
    for (const reader of this.#readers.values()) reader.abort();
  }

  /** Until stopped. */
  async run(): Promise<void> {
    try {
      for await (const event of this.#options.gate.events(this.#life.signal))
        await this.#tell(event);
    } catch (error) {
      if (this.#life.signal.aborted) return;
      this.#options.warn(
        `the relay's events ended: ${error instanceof Error ? error.message : ""}`,
      );
    }
  }

  async #tell(event: RelayEvent): Promise<void> {
    const { held } = this.#options;
    if (event.type === "message") {
      await held.free(event.messageId, nameKey(event.to));
      await this.#inbound(event);
    } else if (event.type === "delivery") {
      await held.free(event.messageId, nameKey(event.agent));
      await this.#delivery(event);
    } else {
      await held.free(nameKey(event.agent));
      await this.#agent(event);
    }
  }

  async #inbound(event: Extract<RelayEvent, { type: "message" }>): Promise<void> {
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
      await this.#delivery({ ...accepted, state: "accepted" });
    }
  }

  async #delivery(event: DeliveryEvent): Promise<void> {
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
    const dropped = DROPS[reason];
    if (dropped === undefined) return;
    const fields = { name, count: 1, reason: dropped, delivery_ids: [deliveryId] };
    await this.#emit("delivery_dropped", event, { ...fields, event_id: messageId });
  }

  async #agent(event: AgentEvent): Promise<void> {
    if (event.type === "agent_spawned") await this.#spawned(event);
    else if (event.type === "agent_ready")
      await this.#emit("worker_ready", event, this.#facts(event.agent));
    else if (event.type === "agent_idle")
      await this.#emit("agent_idle", event, {
        name: event.agent,
        idle_secs: Math.floor(event.idleMs / 1_000),
      });
    else if (event.type === "agent_model") this.#modelChanged(event.agent, event.model);
    else if (event.type === "acl_denied")
      await this.#emit("acl_denied", event, {
        name: event.agent,
        sender: event.sender,
        owner_chain: event.ownerChain,
      });
    else await this.#ending(event);
  }

  async #spawned(event: Extract<RelayEvent, { type: "agent_spawned" }>): Promise<void> {
    const { agent: name, parent } = event;
    const known = this.#options.agents.find(name);
    if (known !== undefined) known.isTold = true;
    const { agents } = await this.#options.gate.metrics(name).catch(() => ({ agents: [] }));
    await this.#emit("agent_spawned", event, {
      ...this.#facts(name),
      parent,
      pid: agents[0]?.pids[0] ?? null,
      source: "relay",
      pre_registered: false,
      registration_warning: null,
    });
    this.#readOutput(name);
  }

  async #ending(event: AgentEvent): Promise<void> {
    const { agent: name } = event;
    if (event.type === "agent_exited") {
      this.#gone(name);
      const { exitCode: code, signal, reason } = event;
      await this.#emit("agent_exited", event, { name, code, signal, reason });
    } else if (event.type === "agent_released") {
      this.#gone(name);
      await this.#emit("agent_released", event, { name, reason: event.reason });
    } else if (event.type === "agent_dead") {
      this.#gone(name);
      await this.#emit("agent_permanently_dead", event, { name, reason: event.reason });
    } else if (event.type === "agent_restarting") {
      const { exitCode: code, signal, restarts: restart_count, delayMs: delay_ms } = event;
      await this.#emit("agent_restarting", event, { name, code, signal, restart_count, delay_ms });
    } else if (event.type === "agent_restarted") {
      await this.#emit("agent_restarted", event, { name, restart_count: event.restarts });
      this.#readOutput(name);
    }
  }

  #facts(name: string): Record<string, unknown> {
    const agent = this.#options.agents.find(name);
    if (agent === undefined) return { name };
    const { runtime, provider = null, cli = null } = agent.spec;
    return { name: agent.name, runtime, provider, cli, model: agent.model };
  }

  #modelChanged(name: string, model: string): void {
    const agent = this.#options.agents.find(name);
    if (agent !== undefined) agent.model = model;
  }

  #gone(name: string): void {
    this.#readers.get(name)?.abort();
    this.#readers.delete(name);
    const agent = this.#options.agents.find(name);
    if (agent?.isTold === true) agent.state = "gone";
  }

  /** Whatever the agent puts out from now on. */
  #readOutput(name: string): void {
    this.#readers.get(name)?.abort();
    const reader = new AbortController();
    this.#readers.set(name, reader);
    void this.#tellOutput(name, AbortSignal.any([reader.signal, this.#life.signal]));
  }

  async #tellOutput(name: string, signal: AbortSignal): Promise<void> {
    const { gate, writer, warn } = this.#options;
    try {
      for await (const { stream, text } of gate.output(name, signal)) {
        for (const chunk of piecesOf(text))
          await writer.event("worker_stream", { name, stream, chunk });
      }
    } catch (error) {
      if (!signal.aborted) warn(`${name}: ${error instanceof Error ? error.message : "no output"}`);
    }
  }

  async #emit(kind: string, { at }: RelayEvent, fields: Record<string, unknown>): Promise<void> {
    await this.#options.writer.event(kind, { ...fields, timestamp: at });
  }
}

/** What events about an agent are held by. */
export function nameKey(name: string): string {
  return `agent:${name.toLowerCase()}`;
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
