import { randomUUID } from "node:crypto";

import { type AgentInfo, DEFAULTS } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { openSession } from "../sessions/session.ts";
import type { SessionPlace } from "../sessions/session-place.ts";
import { type AgentOptions, wireAgentOptions } from "./agent-options.ts";
import { type LifecycleHooks, withHooks } from "./lifecycle-hooks.ts";
import { Relay } from "./relay.ts";

/** Opening a session may take an agent's start, and then the answer. */
const OPEN_MARGIN_MS = 10_000;

/** An agent that was started. */
export interface SpawnedAgent extends AgentInfo {
  /** What was asked for and could not be. */
  readonly warning?: string;
}

/** The relay, with a VM to start agents in. */
export class VmRelay extends Relay {
  readonly #place: SessionPlace;
  readonly #admin: VmAdmin;

  constructor(place: SessionPlace) {
    super(place.admin);
    this.#place = place;
    this.#admin = place.admin;
  }

  /** Starts an agent in the VM. Rejects with why it could not, and nothing of it is left. */
  async spawn(
    name: string,
    { hooks, ...options }: AgentOptions & { readonly hooks?: LifecycleHooks<SpawnedAgent> },
  ): Promise<SpawnedAgent> {
    const context = { operation: "spawn", agent: name } as const;
    return await withHooks(this.#admin, context, hooks, () => this.#spawn(name, options));
  }

  /**
   * Checks whether agents could be started here: each one's runtime, program and key. Resolves with what was found, by
   * name.
   */
  async preflight(
    agents: Readonly<Record<string, AgentOptions>>,
  ): Promise<{ agent: string; ok: boolean; detail: string }[]> {
    const specs = Object.entries(agents).map(
      ([name, options]) => wireAgentOptions(name, "preflight", options, process.env).spec,
    );
    const { queued, seq } = await this.#admin.request("relay.preflight", {
      ...this.#admin.scope,
      agents: specs,
    });
    const found: { agent: string; ok: boolean; detail: string }[] = [];
    if (queued === 0) return found;
    const names = new Set(specs.map(({ name }) => name));
    for await (const event of this.events({ after: seq, types: ["agent_preflight"] })) {
      if (event.type !== "agent_preflight" || !names.delete(event.agent)) continue;
      found.push({ agent: event.agent, ok: event.ok, detail: event.detail });
      if (names.size === 0) break;
    }
    return found;
  }

  async #spawn(name: string, options: AgentOptions): Promise<SpawnedAgent> {
    const agentId = `agent-${randomUUID()}`;
    const { spec, functions } = wireAgentOptions(name, agentId, options, process.env);
    const startMs = options.timeouts?.startMs ?? DEFAULTS.agentStartMs;
    const { agent, warning } = await this.#admin.request(
      "relay.spawn",
      { ...this.#admin.scope, agentId, agent: spec },
      { deadlineMs: startMs + OPEN_MARGIN_MS },
    );
    const { onRequest } = options;
    if (functions.size > 0 || onRequest !== undefined)
      await openSession(this.#place, agent.sessionId, { functions, onRequest });
    return warning === undefined ? agent : { ...agent, warning };
  }
}
