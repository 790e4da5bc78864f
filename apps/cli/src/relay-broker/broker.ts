import type * as z from "zod";

import { VERSION } from "../version.ts";
import type { BrokerAgent, BrokerAgents } from "./broker-agents.ts";
import type { BrokerFigures } from "./broker-figures.ts";
import type { BrokerMessages } from "./broker-messages.ts";
import type { ContinuityFiles } from "./continuity-files.ts";
import { type HeldEvents, nameKey } from "./held-events.ts";
import type { RelayGate } from "./relay-gate.ts";
import { invalidPayload, V1Error } from "./v1-error.ts";
import {
  V1,
  V1_REQUESTS,
  type V1Payload,
  type V1RequestType,
  type V1Result,
} from "./v1-requests.ts";
import { wireAgent } from "./wire-agent.ts";

export interface BrokerOptions {
  readonly gate: RelayGate;
  readonly agents: BrokerAgents;
  readonly messages: BrokerMessages;
  readonly figures: BrokerFigures;
  readonly held: HeldEvents;
  /** What released agents leave to those of a later broker. */
  readonly continuity: ContinuityFiles | undefined;
  /** Where agents work whose client does not say. */
  readonly directory: string;
  readonly warn: (text: string) => void;
}

type Answer = (result: V1Result) => void;
type Handler = (payload: unknown) => Promise<void>;

/** What each request of v1 does. */
export class Broker {
  readonly #options: BrokerOptions;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  /**
   * Carries a request out and calls `answer` with its result; what it brought about is told only after that. Rejects
   * with what it is refused for.
   */
  async handle(type: V1RequestType, payload: unknown, answer: Answer): Promise<void> {
    await this.#handlers(answer)[type](payload ?? {});
  }

  #handlers(answer: Answer): Record<V1RequestType, Handler> {
    const { messages, figures } = this.#options;
    const { spawn_agent, release_agent, send_message, send_input, set_model } = V1_REQUESTS;
    const { hello, get_metrics, preflight_agents } = V1_REQUESTS;
    return {
      hello: on(hello, async () => answer({ broker_version: VERSION, protocol_version: V1 })),
      spawn_agent: on(spawn_agent, (each) => this.#spawn(each, answer)),
      release_agent: on(release_agent, (each) => this.#release(each, answer)),
      send_input: on(send_input, async (each) => answer(await this.#input(each))),
      set_model: on(set_model, async (each) => answer(await this.#setModel(each))),
      send_message: on(send_message, (each) => messages.send(each, answer)),
      list_agents: async () => answer({ agents: await figures.list() }),
      get_status: async () => answer(await figures.status()),
      get_metrics: on(get_metrics, async (each) => answer(await figures.metrics(each))),
      get_crash_insights: async () => answer(await figures.insights()),
      preflight_agents: on(preflight_agents, async (each) => answer(figures.preflight(each))),
      shutdown: async () => answer({ status: "shutting_down" }),
    };
  }

  async #spawn(payload: V1Payload<"spawn_agent">, answer: Answer): Promise<void> {
    const { agents, gate, directory, held, continuity, messages } = this.#options;
    const { name, runtime, provider = null, cwd } = payload.agent;
    assertName(name);
    const own = cwd ?? directory;
    const left = await continuity?.read(payload.continue_from);
    const options = wireAgent(payload, own, left);
    const agent = agents.begin(payload.agent);
    if (agent === undefined)
      throw new V1Error("duplicate_name", `there is an agent ${name} already`);
    const release = held.hold(nameKey(name));
    try {
      const { warning = null } = await gate.spawn(name, own, options);
      agent.state = "alive";
      answer({ name, runtime, provider, pre_registered: false, warning });
      await messages.resend(name);
    } catch (error) {
      agents.forget(agent);
      throw error;
    } finally {
      agent.started.resolve();
      release();
    }
  }

  async #release({ name, reason }: V1Payload<"release_agent">, answer: Answer): Promise<void> {
    const { agents, gate, held } = this.#options;
    const agent = agents.get(name);
    const release = held.hold(nameKey(agent.name));
    try {
      await gate.release(agent.name, reason ?? undefined);
      agent.state = "gone";
      await this.#keep(agent);
      answer({ name: agent.name });
    } finally {
      release();
    }
  }

  async #keep({ name, spec }: BrokerAgent): Promise<void> {
    const { gate, continuity, warn } = this.#options;
    if (continuity === undefined) return;
    try {
      await continuity.write(spec.cli ?? spec.provider ?? null, await gate.continuity(name));
    } catch (error) {
      warn(`${name}: ${error instanceof Error ? error.message : "its continuity was not kept"}`);
    }
  }

  async #input({ name, data }: V1Payload<"send_input">): Promise<V1Result> {
    const { agents, gate } = this.#options;
    const agent = agents.get(name);
    const { bytes } = await gate.input(agent.name, data);
    return { name: agent.name, bytes_written: bytes };
  }

  async #setModel({ name, model, timeout_ms }: V1Payload<"set_model">): Promise<V1Result> {
    const { agents, gate } = this.#options;
    const agent = agents.get(name);
    await gate.setModel(agent.name, model, timeout_ms ?? undefined);
    agent.model = model;
    return { name: agent.name, model, success: true, confirmation: "turn" };
  }
}

/** Runs with a payload that has the right form. */
function on<S extends z.ZodType>(schema: S, run: (payload: z.output<S>) => Promise<void>): Handler {
  return async (raw) => {
    const parsed = schema.safeParse(raw);
    if (!parsed.success) throw invalidPayload(parsed.error);
    await run(parsed.data);
  };
}

/** What the relay would refuse too, before anything is started. */
function assertName(name: string): void {
  const isBad =
    name.length > 128 ||
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f/\\]|\.\.|^[#@*]|^human:|^\s|\s$/i.test(name) ||
    /^(system|broker)$/i.test(name);
  if (isBad)
    throw new V1Error(
      "invalid_agent_name",
      `${JSON.stringify(name.slice(0, 80))} is no agent's name`,
    );
}
