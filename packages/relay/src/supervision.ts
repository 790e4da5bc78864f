import type { AgentPlace } from "@agentos/core";
import {
  type AgentInfo,
  AgentOsError,
  type Continuity,
  type AgentMetrics,
  type AgentSpec,
  encodeError,
  type MethodResult,
  type ParsedParams,
} from "@agentos/protocol";

import type { Agent } from "./agents/agent.ts";
import { pastOf } from "./agents/agent-view.ts";
import { healthOf } from "./agents/crash-insights.ts";
import { unknownAgent } from "./messages/address.ts";
import { isMember } from "./messages/reach.ts";
import { RELAY_BOUNDS } from "./relay-bounds.ts";
import type { UserRelay } from "./user-relay.ts";

/** Looking after a user's agents. */
export class Supervision {
  readonly #relay: UserRelay;

  constructor(relay: UserRelay) {
    this.#relay = relay;
  }

  agents({ vmId, channel }: ParsedParams<"relay.agents">): MethodResult<"relay.agents"> {
    const found = this.#relay.roster.reachable.filter(
      (agent) =>
        (vmId === undefined || agent.stored.vmId === vmId) &&
        (channel === undefined || isMember(agent, channel)),
    );
    return { agents: found.map((agent) => agent.info()) };
  }

  /** The one that lives, or the last one of that name. Throws `NOT_FOUND`. */
  agent(name: string): AgentInfo {
    const living = this.#relay.roster.find(name);
    if (living !== undefined) return living.info();
    const stored = this.#relay.parts.store.agentNamed(name);
    if (stored === undefined) throw unknownAgent(name);
    return pastOf(stored);
  }

  /** Throws `NOT_FOUND`. */
  continuity(name: string): Continuity {
    const left = this.#relay.parts.store.continuity(name);
    if (left !== undefined) return left;
    const details = { kind: "continuity", id: name };
    throw new AgentOsError("NOT_FOUND", `there is no continuity of ${name}`, details);
  }

  async input(name: string, data: string): Promise<MethodResult<"relay.input">> {
    const agent = this.#relay.roster.get(name);
    return { bytes: await this.#relay.parts.sessions.input(agent.ref, data) };
  }

  hold(name: string, held: boolean): void {
    this.#relay.roster.get(name).hold(held);
  }

  flush(name: string): MethodResult<"relay.flush"> {
    return { count: this.#relay.roster.get(name).flush() };
  }

  async setModel({
    name,
    model,
    timeoutMs = RELAY_BOUNDS.modelMs,
  }: ParsedParams<"relay.setModel">): Promise<MethodResult<"relay.setModel">> {
    const agent = this.#relay.roster.get(name);
    await this.#relay.parts.sessions.setModel(agent.ref, model, timeoutMs);
    agent.change({ model }, [{ type: "agent_model", agent: agent.name, model }]);
    return { model };
  }

  /** Throws `NOT_FOUND`. */
  async metrics(name: string | undefined): Promise<MethodResult<"relay.metrics">> {
    const { roster, parts, startedMs } = this.#relay;
    const asked = name === undefined ? roster.reachable : [roster.get(name)];
    const agents = await Promise.all(asked.map((agent) => this.#metricsOf(agent)));
    return {
      agents: agents.toSorted((a, b) => a.name.localeCompare(b.name)),
      relay: {
        uptimeMs: parts.clock.now() - startedMs,
        ...parts.store.totals,
        active: roster.reachable.length,
      },
    };
  }

  health(): MethodResult<"relay.health"> {
    const { store, now } = this.#relay.parts;
    return healthOf(store.crashes(), store.totals.crashes, now());
  }

  /** Answers at once; each agent's result is an event. */
  preflight(place: AgentPlace, agents: readonly AgentSpec[]): MethodResult<"relay.preflight"> {
    const seq = this.#relay.parts.journal.lastSeq;
    for (const agent of agents) void this.#preflightOne(place, agent);
    return { queued: agents.length, seq };
  }

  async #preflightOne(place: AgentPlace, { name, session }: AgentSpec): Promise<void> {
    const { sessions, journal } = this.#relay.parts;
    const { ok, detail } = await sessions.check(place, { ...session, sessionId: "preflight" }).then(
      (found) => ({ ok: true, detail: found }),
      (error: unknown) => ({ ok: false, detail: encodeError(error).message }),
    );
    const { runtime } = session;
    journal.write({}, [{ type: "agent_preflight", agent: name, runtime, ok, detail }]);
  }

  async #metricsOf(agent: Agent): Promise<AgentMetrics> {
    const { sessions, now } = this.#relay.parts;
    const { pids, memoryBytes, cpuMs } = await sessions.use(agent.ref);
    const uptimeMs = now() - agent.stored.createdAt;
    return { name: agent.name, pids: [...pids], memoryBytes, cpuMs, uptimeMs };
  }
}
