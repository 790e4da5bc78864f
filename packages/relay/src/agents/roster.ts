import { AgentOsError, foldName } from "@agentos/protocol";

import { unknownAgent } from "../messages/address.ts";
import { RELAY_BOUNDS } from "../relay-bounds.ts";
import type { Agent } from "./agent.ts";

/** One user's living agents, by name and by id. A name is taken until its agent is gone. */
export class Roster {
  readonly #byName = new Map<string, Agent>();
  readonly #byId = new Map<string, Agent>();

  /** Those that messages may be sent to, in the order of their start. */
  get reachable(): Agent[] {
    return [...this.#byId.values()].filter((agent) => agent.isReachable);
  }

  get size(): number {
    return this.#byId.size;
  }

  byId(agentId: string): Agent | undefined {
    return this.#byId.get(agentId);
  }

  /** Whether the name is taken. */
  has(name: string): boolean {
    return this.#byName.has(foldName(name));
  }

  /** Undefined: none of that name lives. */
  find(name: string): Agent | undefined {
    const agent = this.#byName.get(foldName(name));
    return agent?.isReachable === true ? agent : undefined;
  }

  /** Throws `NOT_FOUND`. */
  get(name: string): Agent {
    const agent = this.find(name);
    if (agent !== undefined) return agent;
    throw unknownAgent(name);
  }

  /** Throws `ALREADY_EXISTS` or `POOL_EXHAUSTED`. */
  assertFree(name: string): void {
    if (this.has(name)) {
      const message = `an agent named ${JSON.stringify(name)} lives already`;
      throw new AgentOsError("ALREADY_EXISTS", message, { kind: "agent", id: name });
    }
    const capacity = RELAY_BOUNDS.agents;
    if (this.#byId.size < capacity) return;
    const details = { limit: "agents", capacity, waiting: 0 };
    throw new AgentOsError("POOL_EXHAUSTED", `${capacity} agents live already`, details);
  }

  add(agent: Agent): void {
    this.#byName.set(foldName(agent.name), agent);
    this.#byId.set(agent.agentId, agent);
  }

  remove(agent: Agent): void {
    const name = foldName(agent.name);
    if (this.#byName.get(name) === agent) this.#byName.delete(name);
    this.#byId.delete(agent.agentId);
  }
}
