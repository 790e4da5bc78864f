import { V1Error } from "./v1-error.ts";
import type { V1Agent } from "./v1-requests.ts";
import { startModel } from "./wire-agent.ts";

/** An agent as its v1 client knows it. */
export interface BrokerAgent {
  readonly name: string;
  readonly spec: V1Agent;
  /** As it was started with, or confirmed since. */
  model: string | null;
  state: "starting" | "alive" | "gone";
  /** The relay's log has told its start: what it tells before that is about an earlier one of the name. */
  isTold: boolean;
  /** Resolves once its start has worked or failed. */
  readonly started: PromiseWithResolvers<void>;
}

/** The agents of this broker, by names that differ in more than case. */
export class BrokerAgents {
  readonly #byName = new Map<string, BrokerAgent>();

  /** False: the name is taken. */
  begin(spec: V1Agent): BrokerAgent | undefined {
    const known = this.find(spec.name);
    if (known !== undefined && known.state !== "gone") return undefined;
    const agent: BrokerAgent = {
      name: spec.name,
      spec,
      model: startModel(spec),
      state: "starting",
      isTold: false,
      started: Promise.withResolvers(),
    };
    this.#byName.set(fold(spec.name), agent);
    return agent;
  }

  find(name: string): BrokerAgent | undefined {
    return this.#byName.get(fold(name.replace(/^@/, "")));
  }

  /** One that is there, or is about to be. */
  alive(name: string): BrokerAgent | undefined {
    const agent = this.find(name);
    return agent?.state === "gone" ? undefined : agent;
  }

  /** Throws `agent_not_found`. */
  get(name: string): BrokerAgent {
    const agent = this.alive(name);
    if (agent !== undefined) return agent;
    throw new V1Error("agent_not_found", `there is no agent ${name}`);
  }

  forget(agent: BrokerAgent): void {
    if (this.#byName.get(fold(agent.name)) === agent) this.#byName.delete(fold(agent.name));
  }

  get all(): BrokerAgent[] {
    return [...this.#byName.values()].filter(({ state }) => state === "alive");
  }
}

function fold(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
