import {
  type AgentInfo,
  type AgentMetrics,
  type Continuity,
  DEFAULTS,
  type MethodResult,
  type RelayCounts,
  type RelayEvent,
  type RelayHealth,
} from "@agentos/protocol";

import { parseSidecarChoice, type SidecarChoice } from "../options.ts";
import type { SidecarCore } from "../sidecar/sidecar-core.ts";
import { chosenSidecar } from "../sidecar/chosen-sidecar.ts";
import { readAgentLog, type AgentLogOptions, type AgentLogEntry } from "./agent-log.ts";
import { type AgentWaitOptions, waitForExit, waitForIdle } from "./agent-waits.ts";
import { type LifecycleHooks, withHooks } from "./lifecycle-hooks.ts";
import {
  lastRelayEvents,
  readRelayEvents,
  type RelayEventOptions,
  type RelayEventQuery,
} from "./relay-events.ts";
import type { RelayLink } from "./relay-link.ts";
import {
  listenToEvents,
  listenToOutput,
  type ListenOptions,
  type RelayEventOf,
} from "./relay-listeners.ts";
import { RelayMessages } from "./relay-messages.ts";

/** An agent's own end, its tree's, and the answer. */
const RELEASE_MS = DEFAULTS.agentShutdownMs + DEFAULTS.requestMs;
/** For an agent to confirm another model. */
const MODEL_MS = 10_000;

export interface AgentReleaseOptions {
  /** Told to whoever goes on from it. */
  readonly reason?: string;
  readonly hooks?: LifecycleHooks;
}

export type RelayChannel = MethodResult<"relay.channels">["channels"][number];

/** A user's agents on one sidecar, and what they say to one another. */
export class Relay extends RelayMessages {
  readonly #link: RelayLink;

  /** The relay of a pool's sidecar, without a VM of one's own. */
  static connect(options: SidecarChoice = {}): Relay {
    const { pool, sidecar, signal } = parseSidecarChoice(options);
    return new Relay(linkTo(chosenSidecar(pool, sidecar), signal));
  }

  constructor(link: RelayLink) {
    super(link);
    this.#link = link;
  }

  /** The agents that live. */
  async agents(options: { vmId?: string; channel?: string } = {}): Promise<AgentInfo[]> {
    return (await this.#link.request("relay.agents", options)).agents;
  }

  /** One agent, its last state where it is gone. Rejects with `NOT_FOUND`. */
  async agent(name: string): Promise<AgentInfo> {
    return await this.#link.request("relay.agent", { name });
  }

  /** Ends an agent; resolves once nothing of it is left. What waited for it becomes dead letters. */
  async release(name: string, { hooks, ...options }: AgentReleaseOptions = {}): Promise<void> {
    const context = { operation: "release", agent: name } as const;
    await withHooks(this.#link, context, hooks, async () => {
      const params = { name, ...options };
      await this.#link.request("relay.release", params, { deadlineMs: RELEASE_MS });
    });
  }

  /** Until an agent is idle: without work, mail and output for its `idleMs`. One that is gone, or never was, is `exited`. */
  async waitForIdle(
    name: string,
    options: AgentWaitOptions = {},
  ): Promise<"idle" | "exited" | "timeout"> {
    return await waitForIdle(this.#link, name, options);
  }

  /** Until an agent is gone for good. One that never was is `exited`. */
  async waitForExit(
    name: string,
    options: AgentWaitOptions = {},
  ): Promise<"exited" | "released" | "timeout"> {
    return await waitForExit(this.#link, name, options);
  }

  /** What the last released agent of that name left. Rejects with `NOT_FOUND`. */
  async continuity(name: string): Promise<Continuity> {
    return await this.#link.request("relay.continuity", { name });
  }

  async channels(): Promise<RelayChannel[]> {
    return (await this.#link.request("relay.channels", {})).channels;
  }

  async join(name: string, channel: string): Promise<void> {
    await this.#link.request("relay.join", { name, channel });
  }

  async leave(name: string, channel: string): Promise<void> {
    await this.#link.request("relay.leave", { name, channel });
  }

  /** What happens, from a place on. */
  events(options: RelayEventOptions = {}): AsyncIterable<RelayEvent> {
    return readRelayEvents(this.#link, options);
  }

  /** What happened last, oldest first: of an agent, of a message, of some kinds. */
  async lastEvents(query: RelayEventQuery = {}): Promise<RelayEvent[]> {
    return await lastRelayEvents(this.#link, query);
  }

  /** Calls with each event of a kind from now on. The result ends it. What the listener throws is a warning. */
  on<T extends RelayEvent["type"]>(
    type: T,
    listener: (event: RelayEventOf<T>) => unknown,
    options: ListenOptions = {},
  ): () => void {
    return listenToEvents(this.#link, type, listener, options);
  }

  /** Calls with each piece of what an agent puts out from now on. The result ends it. */
  onOutput(name: string, listener: (entry: AgentLogEntry) => unknown): () => void {
    return listenToOutput(this.#link, name, listener);
  }

  /** An agent's session, as lines of output: what it said before, then what it says. */
  logs(name: string, options: AgentLogOptions = {}): AsyncIterable<AgentLogEntry> {
    return readAgentLog(this.#link, name, options);
  }

  /** Types into an agent's terminal. Rejects with `UNSUPPORTED` where it has none. */
  async input(name: string, data: string): Promise<{ bytes: number }> {
    return await this.#link.request("relay.input", { name, data });
  }

  /** Keeps an agent's messages in its mailbox (`true`), or delivers them as they come again. Outlives the sidecar. */
  async hold(name: string, held = true): Promise<void> {
    await this.#link.request("relay.hold", { name, held });
  }

  /** Delivers what an agent's mailbox holds now; resolves with how many there are. */
  async flush(name: string): Promise<number> {
    return (await this.#link.request("relay.flush", { name })).count;
  }

  /** Switches an agent's model; resolves once the agent confirmed it. */
  async setModel(
    name: string,
    model: string,
    { timeoutMs = MODEL_MS }: { timeoutMs?: number } = {},
  ): Promise<void> {
    const deadlineMs = timeoutMs + DEFAULTS.requestMs;
    await this.#link.request("relay.setModel", { name, model, timeoutMs }, { deadlineMs });
  }

  /** What agents use now, and counts of the relay. */
  async metrics(
    options: { name?: string } = {},
  ): Promise<{ agents: AgentMetrics[]; relay: RelayCounts }> {
    return await this.#link.request("relay.metrics", options);
  }

  /** The agents' crashes, and a score. */
  async health(): Promise<RelayHealth> {
    return await this.#link.request("relay.health", {});
  }
}

function linkTo(core: SidecarCore, signal: AbortSignal | undefined): RelayLink {
  return {
    request: (method, params, options = {}) =>
      core.ask(method, params, { ...options, signal: options.signal ?? signal }),
  };
}
