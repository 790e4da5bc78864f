import { randomBytes } from "node:crypto";

import type { AgentOptions } from "@agentos/client";
import type * as z from "zod";

import { VERSION } from "../version.ts";
import type { BrokerAgent, BrokerAgents } from "./broker-agents.ts";
import { type EventRelay, nameKey } from "./event-relay.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { HeldEvents } from "./held-events.ts";
import type { PendingMessages } from "./pending-messages.ts";
import type { GateMessage, RelayGate } from "./relay-gate.ts";
import { invalidPayload, V1Error } from "./v1-error.ts";
import {
  V1,
  V1_REQUESTS,
  type V1Payload,
  type V1RequestType,
  type V1Result,
} from "./v1-requests.ts";
import { wireAgent } from "./wire-agent.ts";

const ORCHESTRATOR = "human:orchestrator";

export interface BrokerOptions {
  readonly gate: RelayGate;
  readonly pending: PendingMessages | undefined;
  readonly agents: BrokerAgents;
  readonly events: EventRelay;
  readonly writer: FrameWriter;
  readonly held: HeldEvents;
  /** Where agents work whose client does not say. */
  readonly directory: string;
  readonly warn: (text: string) => void;
}

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
  async handle(
    type: V1RequestType,
    payload: unknown,
    answer: (result: V1Result) => void,
  ): Promise<void> {
    const { spawn_agent, release_agent, send_message, set_model } = V1_REQUESTS;
    const handlers: Record<V1RequestType, (payload: unknown) => Promise<void>> = {
      hello: on(V1_REQUESTS.hello, async () =>
        answer({ broker_version: VERSION, protocol_version: V1 }),
      ),
      spawn_agent: on(spawn_agent, (each) => this.#spawn(each, answer)),
      release_agent: on(release_agent, (each) => this.#release(each, answer)),
      send_input: on(V1_REQUESTS.send_input, async (each) => answer(await this.#input(each))),
      set_model: on(set_model, async (each) => answer(await this.#setModel(each))),
      send_message: on(send_message, (each) => this.#send(each, answer)),
      list_agents: async () => answer({ agents: await this.#list() }),
      get_status: async () => answer(await this.#status()),
      get_metrics: on(V1_REQUESTS.get_metrics, async (each) => answer(await this.#metrics(each))),
      get_crash_insights: async () => answer(await this.#insights()),
      preflight_agents: on(V1_REQUESTS.preflight_agents, async (each) =>
        answer(this.#preflight(each)),
      ),
      shutdown: async () => answer({ status: "shutting_down" }),
    };
    await handlers[type](payload ?? {});
  }

  async #spawn(
    payload: V1Payload<"spawn_agent">,
    answer: (result: V1Result) => void,
  ): Promise<void> {
    const { agents, gate, directory, held } = this.#options;
    const { name, runtime, provider = null, cwd } = payload.agent;
    assertName(name);
    const own = cwd ?? directory;
    const options = wireAgent(payload, own);
    const agent = agents.begin(payload.agent);
    if (agent === undefined)
      throw new V1Error("duplicate_name", `there is an agent ${name} already`);
    const release = held.hold(nameKey(name));
    try {
      const { warning = null } = await gate.spawn(name, own, options);
      agent.state = "alive";
      answer({ name, runtime, provider, pre_registered: false, warning });
      await this.#resend(name);
    } catch (error) {
      agents.forget(agent);
      throw error;
    } finally {
      agent.started.resolve();
      release();
    }
  }

  async #release(
    { name, reason }: V1Payload<"release_agent">,
    answer: (result: V1Result) => void,
  ): Promise<void> {
    const agent = this.#agent(name);
    const release = this.#options.held.hold(nameKey(agent.name));
    try {
      await this.#options.gate.release(agent.name, reason ?? undefined);
      agent.state = "gone";
      answer({ name: agent.name });
    } finally {
      release();
    }
  }

  async #send(
    payload: V1Payload<"send_message">,
    answer: (result: V1Result) => void,
  ): Promise<void> {
    const { held } = this.#options;
    const { to, text, thread_id, priority, data } = payload;
    const id = newEventId();
    const release = held.hold(id);
    try {
      const recipients = await this.#post({
        id,
        to: await this.#address(to),
        text,
        from: this.#sender(payload.from),
        ...(thread_id == null ? {} : { threadId: thread_id }),
        ...(priority == null ? {} : { priority }),
        ...(data == null ? {} : { data }),
      });
      answer({ event_id: id, to, targets: recipients, delivered: true, state: "accepted" });
    } finally {
      release();
    }
  }

  async #post(message: GateMessage): Promise<readonly string[]> {
    const { gate, pending } = this.#options;
    const { recipients } = await gate.send(message);
    pending?.add(message, recipients);
    return recipients;
  }

  /** What waited for one of that name when an earlier broker was killed. */
  async #resend(name: string): Promise<void> {
    const { gate, pending, warn } = this.#options;
    try {
      for (const message of pending?.of(name) ?? []) {
        const isItsOwn = nameKey(message.to) === nameKey(name);
        // What went to several is one message for each of them now.
        const again = { ...message, to: name, id: isItsOwn ? message.id : newEventId() };
        if (!isItsOwn) pending?.add(again, [name]);
        // oxlint-disable-next-line no-await-in-loop -- In the order in which they were accepted.
        await gate.send(again);
        if (!isItsOwn) pending?.settle(message.id, name);
      }
    } catch (error) {
      warn(`${name}: ${error instanceof Error ? error.message : "what waited was not sent"}`);
    }
  }

  async #input({ name, data }: V1Payload<"send_input">): Promise<V1Result> {
    const agent = this.#agent(name);
    const { bytes } = await this.#options.gate.input(agent.name, data);
    return { name: agent.name, bytes_written: bytes };
  }

  async #setModel({ name, model, timeout_ms }: V1Payload<"set_model">): Promise<V1Result> {
    const agent = this.#agent(name);
    await this.#options.gate.setModel(agent.name, model, timeout_ms ?? undefined);
    agent.model = model;
    return { name: agent.name, model, success: true, confirmation: "turn" };
  }

  async #list(): Promise<V1Result[]> {
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

  async #status(): Promise<V1Result> {
    const list = await this.#list();
    const { pending } = this.#options.events;
    return {
      agent_count: list.length,
      agents: list,
      pending_delivery_count: pending.length,
      pending_deliveries: pending.slice(0, SHOWN_DELIVERIES),
    };
  }

  async #metrics({ agent: name }: V1Payload<"get_metrics">): Promise<V1Result> {
    const agent = name == null ? undefined : this.#agent(name);
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

  async #insights(): Promise<V1Result> {
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

  #preflight({ agents }: V1Payload<"preflight_agents">): V1Result {
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

  #agent(name: string): BrokerAgent {
    const agent = this.#options.agents.alive(name);
    if (agent !== undefined) return agent;
    throw new V1Error("agent_not_found", `there is no agent ${name}`);
  }

  /** An agent's own spelling; what is no agent's name goes to the relay as it is. */
  async #address(to: string): Promise<string> {
    if (to === "*" || to.startsWith("#") || /^(team|human):/i.test(to)) return to;
    // One that is starting gets it once it is there.
    await this.#agent(to).started.promise;
    return this.#agent(to).name;
  }

  #sender(from: string | null | undefined): string {
    const name = from?.trim() ?? "";
    if (name === "" || name.toLowerCase() === "human:") return ORCHESTRATOR;
    if (name.toLowerCase().startsWith("human:")) {
      const rest = name.slice("human:".length).trim();
      return rest === "" ? ORCHESTRATOR : `human:${rest}`;
    }
    if (name.toLowerCase() === "system") return "system";
    const agent = this.#options.agents.alive(name);
    if (agent !== undefined) return agent.name;
    if (name.includes(":")) throw new V1Error("sender_not_found", `there is no sender ${name}`);
    return `human:${name}`;
  }
}

function newEventId(): string {
  return `sdk_${randomBytes(16).toString("hex")}`;
}

/** Of a status: the rest is counted. */
const SHOWN_DELIVERIES = 100;

/** Runs with a payload that has the right form. */
function on<S extends z.ZodType>(
  schema: S,
  run: (payload: z.output<S>) => Promise<void>,
): (raw: unknown) => Promise<void> {
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
