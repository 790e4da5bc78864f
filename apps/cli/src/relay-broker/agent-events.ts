import type { RelayEvent } from "@agentos/client";

import type { BrokerAgents } from "./broker-agents.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { RelayGate } from "./relay-gate.ts";
import type { WorkerOutput } from "./worker-output.ts";

export type AgentEvent = Extract<RelayEvent, { agent: string }>;

export interface AgentEventsOptions {
  readonly gate: RelayGate;
  readonly agents: BrokerAgents;
  readonly writer: FrameWriter;
  readonly output: WorkerOutput;
}

/** Tells a v1 client of agents: their start, silence, deaths and ends. */
export class AgentEvents {
  readonly #options: AgentEventsOptions;

  constructor(options: AgentEventsOptions) {
    this.#options = options;
  }

  async tell(event: AgentEvent): Promise<void> {
    if (event.type === "agent_spawned") await this.#spawned(event);
    else if (event.type === "agent_ready") await this.#ready(event);
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
    this.#options.output.follow(name);
  }

  /** What a terminal shows says nothing for certain: there it is assumed after a silence. */
  async #ready(event: AgentEvent): Promise<void> {
    const facts = this.#facts(event.agent);
    const readiness = facts["runtime"] === "pty" ? "assumed" : "told";
    await this.#emit("worker_ready", event, { ...facts, readiness });
  }

  async #ending(event: AgentEvent): Promise<void> {
    const { agent: name } = event;
    if (event.type === "agent_exited") {
      await this.#gone(name);
      const { exitCode: code, signal, reason } = event;
      const isTerminal = this.#options.agents.find(name)?.spec.runtime === "pty";
      const end = isTerminal && reason === "child_exited" ? "pty_closed" : reason;
      await this.#emit("agent_exit", event, { name, reason: end });
      await this.#emit("agent_exited", event, { name, code, signal, reason });
    } else if (event.type === "agent_released") {
      await this.#gone(name);
      await this.#emit("agent_released", event, { name, reason: event.reason });
    } else if (event.type === "agent_dead") {
      await this.#gone(name);
      await this.#emit("agent_permanently_dead", event, { name, reason: event.reason });
    } else if (event.type === "agent_restarting") {
      const { exitCode: code, signal, restarts: restart_count, delayMs: delay_ms } = event;
      await this.#emit("agent_restarting", event, { name, code, signal, restart_count, delay_ms });
    } else if (event.type === "agent_restarted") {
      await this.#emit("agent_restarted", event, { name, restart_count: event.restarts });
      this.#options.output.follow(name);
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

  async #gone(name: string): Promise<void> {
    await this.#options.output.end(name);
    const agent = this.#options.agents.find(name);
    if (agent?.isTold === true) agent.state = "gone";
  }

  async #emit(kind: string, { at }: RelayEvent, fields: Record<string, unknown>): Promise<void> {
    await this.#options.writer.event(kind, { ...fields, timestamp: at });
  }
}
