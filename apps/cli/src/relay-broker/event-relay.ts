import type { RelayEvent } from "@agentos/client";

import { AgentEvents } from "./agent-events.ts";
import type { BrokerAgents } from "./broker-agents.ts";
import { DeliveryEvents, type PendingDelivery } from "./delivery-events.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { type HeldEvents, nameKey } from "./held-events.ts";
import type { PendingMessages } from "./pending-messages.ts";
import type { RelayGate } from "./relay-gate.ts";
import type { WorkerLogs } from "./worker-logs.ts";
import { WorkerOutput } from "./worker-output.ts";

export interface EventRelayOptions {
  readonly gate: RelayGate;
  readonly pending: PendingMessages | undefined;
  readonly logs: WorkerLogs | undefined;
  readonly agents: BrokerAgents;
  readonly writer: FrameWriter;
  readonly held: HeldEvents;
  readonly warn: (text: string) => void;
}

/** Tells a v1 client what happens in the relay, in the kinds and fields that it knows. */
export class EventRelay {
  readonly #options: EventRelayOptions;
  readonly #deliveries: DeliveryEvents;
  readonly #agents: AgentEvents;
  readonly #output: WorkerOutput;
  readonly #life = new AbortController();

  constructor(options: EventRelayOptions) {
    const { gate, pending, logs, agents, writer, warn } = options;
    this.#options = options;
    this.#deliveries = new DeliveryEvents({ gate, pending, writer });
    this.#output = new WorkerOutput({ gate, logs, writer, warn });
    this.#agents = new AgentEvents({ gate, agents, writer, output: this.#output });
  }

  /** Deliveries that wait, as `get_status` tells them. */
  get pending(): PendingDelivery[] {
    return this.#deliveries.pending;
  }

  stop(): void {
    this.#life.abort();
    this.#output.stop();
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
      await this.#deliveries.inbound(event);
    } else if (event.type === "delivery") {
      await held.free(event.messageId, nameKey(event.agent));
      await this.#deliveries.delivery(event);
    } else {
      await held.free(nameKey(event.agent));
      await this.#agents.tell(event);
    }
  }
}
