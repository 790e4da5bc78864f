import type { AgentOptions } from "@agentos/client";

import type { BrokerAgents } from "./broker-agents.ts";
import type { PendingDelivery } from "./delivery-events.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { RelayGate } from "./relay-gate.ts";
import type { V1Payload, V1Result } from "./v1-requests.ts";
import { wireAgent } from "./wire-agent.ts";

/** Of a status: the rest is counted. */
const SHOWN_DELIVERIES = 100;

export interface BrokerFiguresOptions {
  readonly gate: RelayGate;
  readonly agents: BrokerAgents;
  readonly writer: FrameWriter;
  /** Deliveries that wait. */
  readonly pending: () => readonly PendingDelivery[];
  readonly directory: string;
  readonly warn: (text: string) => void;
}

/** What v1 tells of agents and the broker: lists, counts, crashes, and whether a program could start. */
export class BrokerFigures {
  readonly #options: BrokerFiguresOptions;

  constructor(options: BrokerFiguresOptions) {
    this.#options = options;
  }

  async list(): Promise<V1Result[]> {
    const { gate, agents } = this.#options;
    const [infos, { agents: used }] = await Promise.all([gate.agents(), gate.metrics()]);
    return agents.all.map(({ name, spec, model }) => {
      const info = infos.find((each) => each.name.toLowerCase() === name.toLowerCase());
      const { runtime, provider = null, cli = null, team = null } = spec;
      const pids = used.find((each) => each.name.toLowerCase() === name.toLowerCase())?.pids ?? [];
      return {
        name,
        runtime,
        provider,
        cli,
        model,
        team,
        channels: info?.channels ?? spec.channels ?? [],
        parent: info?.parent ?? null,
        pid: pids[0] ?? null,
        activity: info?.activity ?? null,
      };
    });
  }

  async status(): Promise<V1Result> {
    const list = await this.list();
    const pending = this.#options.pending();
    return {
      agent_count: list.length,
      agents: list,
      pending_delivery_count: pending.length,
      pending_deliveries: pending.slice(0, SHOWN_DELIVERIES),
    };
  }

  async metrics({ agent: name }: V1Payload<"get_metrics">): Promise<V1Result> {
    const agent = name == null ? undefined : this.#options.agents.get(name);
    const { agents, relay } = await this.#options.gate.metrics(agent?.name);
    const rows = agents.map((each) => ({
      name: each.name,
      pid: each.pids[0] ?? null,
      memory_bytes: each.memoryBytes,
      uptime_secs: Math.floor(each.uptimeMs / 1_000),
    }));
    return {
      agents: rows.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      broker: {
        uptime_secs: Math.floor(relay.uptimeMs / 1_000),
        total_agents_spawned: relay.spawned,
        total_crashes: relay.crashes,
        total_restarts: relay.restarts,
        active_agents: relay.active,
      },
    };
  }

  async insights(): Promise<V1Result> {
    const { crashes, recent, patterns, score } = await this.#options.gate.health();
    return {
      total_crashes: crashes,
      recent: recent.map(({ agent, exitCode, signal, at, uptimeMs, category, description }) => ({
        agent_name: agent,
        exit_code: exitCode,
        signal,
        timestamp: Math.floor(at / 1_000),
        uptime_secs: Math.floor(uptimeMs / 1_000),
        category,
        description,
      })),
      patterns,
      health_score: score,
    };
  }

  preflight({ agents }: V1Payload<"preflight_agents">): V1Result {
    const { directory } = this.#options;
    const wired = agents.map(({ name, cli }) => {
      const agent = { name, cli, runtime: "pty" as const };
      return [name, wireAgent({ agent }, directory)] as const;
    });
    void this.#tellPreflight(agents, Object.fromEntries(wired));
    return { queued: agents.length };
  }

  async #tellPreflight(
    asked: readonly { name: string; cli: string }[],
    wired: Readonly<Record<string, AgentOptions>>,
  ): Promise<void> {
    const { directory, gate, writer, warn } = this.#options;
    try {
      for (const { agent: name, ok, detail } of await gate.preflight(directory, wired)) {
        const cli = asked.find((each) => each.name === name)?.cli ?? null;
        // oxlint-disable-next-line no-await-in-loop -- One line after another.
        await writer.event("agent_preflight", { name, cli, ok, detail, timestamp: Date.now() });
      }
    } catch (error) {
      warn(`preflight: ${error instanceof Error ? error.message : ""}`);
    }
  }
}
