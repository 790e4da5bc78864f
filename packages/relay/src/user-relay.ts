import { randomUUID } from "node:crypto";

import type { AgentPlace, StoredAgent } from "@agentos/core";
import {
  AgentOsError,
  type AgentSpec,
  channelOf,
  encodeError,
  type MethodResult,
  type RelayMessage,
  type SessionEvent,
} from "@agentos/protocol";

import { Agent } from "./agents/agent.ts";
import { pastOf } from "./agents/agent-view.ts";
import { continuityOf, taskWith } from "./agents/continuity.ts";
import { Roster } from "./agents/roster.ts";
import { Shadows } from "./agents/shadows.ts";
import { isSystem, personOf, unknownAgent } from "./messages/address.ts";
import { DeadLetters } from "./messages/dead-letters.ts";
import { Drafts } from "./messages/drafts.ts";
import { isTyped } from "./messages/live-delivery.ts";
import { PostOffice, type SendRequest } from "./messages/post-office.ts";
import type { Sent } from "./messages/posting.ts";
import { isMember, isSame, Reach } from "./messages/reach.ts";
import type { Sender } from "./messages/recipients.ts";
import type { UserParts } from "./relay-parts.ts";

type Spawned = MethodResult<"relay.spawn">;

/** One user's agents and what they say to one another. */
export class UserRelay {
  /** By the clock. */
  readonly startedMs: number;
  /** Long texts on their way here. */
  readonly drafts = new Drafts();
  readonly #parts: UserParts;
  readonly #roster = new Roster();
  readonly #reach: Reach;
  readonly #shadows: Shadows;
  readonly #post: PostOffice;
  readonly #deadLetters: DeadLetters;
  /** Spawns under way, by agentId. */
  readonly #starting = new Map<string, Promise<Spawned>>();

  constructor(parts: UserParts) {
    this.#parts = parts;
    this.startedMs = parts.clock.now();
    const roster = this.#roster;
    this.#reach = new Reach(roster, parts.store);
    this.#shadows = new Shadows(roster);
    const { shadows, reach } = { shadows: this.#shadows, reach: this.#reach };
    this.#deadLetters = new DeadLetters(parts, roster);
    this.#post = new PostOffice({ parts, roster, reach, shadows });
  }

  get parts(): UserParts {
    return this.#parts;
  }

  get roster(): Roster {
    return this.#roster;
  }

  /** Starts an agent; the same agentId again is the same agent. Rejects as opening its session does, and nothing is left of it. */
  async spawn(place: AgentPlace, agentId: string, spec: AgentSpec): Promise<Spawned> {
    const known = this.#starting.get(agentId);
    if (known !== undefined) return await known;
    const living = this.#roster.byId(agentId);
    if (living !== undefined) return { agent: living.info(), seq: 0 };
    const past = this.#parts.store.agentById(agentId);
    if (past !== undefined) return { agent: pastOf(past), seq: 0 };
    const spawned = this.#spawn(place, agentId, spec);
    this.#starting.set(agentId, spawned);
    try {
      return await spawned;
    } finally {
      this.#starting.delete(agentId);
    }
  }

  /** Throws `NOT_FOUND` or `ACL_DENIED`; resolves once nothing of the agent is left. */
  async release(name: string, reason: string | undefined, by?: Agent): Promise<void> {
    const agent = this.#roster.get(name);
    if (by !== undefined && !this.#reach.mayRelease(by, agent)) {
      throw this.#post.denied(by, agent.name, this.#reach.ownerChain(agent));
    }
    await this.#release(agent, reason ?? "released on request", by?.name ?? "host");
  }

  async send(request: SendRequest, sender: Sender): Promise<Sent> {
    return await this.#post.send(request, sender);
  }

  /** Sends a dead letter again, as another delivery of the same message. Throws `NOT_FOUND`, `INVALID_ARGUMENT` or `MAILBOX_FULL`. */
  redeliver(deliveryId: string, to: string | undefined): MethodResult<"relay.redeliver"> {
    return this.#deadLetters.redeliver(deliveryId, to);
  }

  /** A message that the agent got. Throws `NOT_FOUND`. */
  received(agent: Agent, messageId: string): RelayMessage {
    const { store } = this.#parts;
    const message = store.message(messageId);
    const isIts = store.deliveries(messageId).some(({ agentId }) => agentId === agent.agentId);
    if (message !== undefined && isIts) return message;
    const details = { kind: "message", id: messageId };
    throw new AgentOsError("NOT_FOUND", `no message ${messageId} was for you`, details);
  }

  /** The agents that this one may write to. */
  within(agent: Agent): Agent[] {
    return this.#roster.reachable.filter(
      (each) => each !== agent && this.#reach.mayWrite(agent, each),
    );
  }

  membersOf(channel: string): string[] {
    return this.#roster.reachable
      .filter((agent) => isMember(agent, channel))
      .map(({ name }) => name);
  }

  /** Makes an agent a member by its own wish: only where it may write. Throws `ACL_DENIED`. */
  joinItself(agent: Agent, asked: string): void {
    const isFree = agent.stored.spec.sendTo === undefined;
    if (!isFree && !this.#reach.mayWriteInto(agent, asked))
      throw this.#post.denied(agent, `#${channelOf(asked)}`, []);
    this.join(agent.name, asked);
  }

  /** What an agent leaves for one that goes on, in its own words. */
  saveContinuity(agent: Agent, summary: string): void {
    agent.summary = summary;
    const { journal, store, now } = this.#parts;
    const saveContinuity = continuityOf(agent, store, { summary, now: now() });
    journal.write({ saveContinuity }, [{ type: "continuity_saved", agent: agent.name }]);
  }

  /** Starts an agent below another one, in its VM. Rejects as `spawn` does. */
  async spawnBelow(parent: Agent, spec: AgentSpec): Promise<Spawned> {
    const place = this.#parts.sessions.place(parent.ref);
    if (place === undefined) throw unknownAgent(parent.name);
    return await this.spawn(place, `agent-${randomUUID()}`, spec);
  }

  /** Who speaks under a name from outside: an agent that lives as itself. */
  sender(from: string | null | undefined): Sender {
    const name = from?.trim() ?? "";
    if (isSystem(name)) return { kind: "outside", name: name.toLowerCase() };
    const agent = name === "" ? undefined : this.#roster.find(name.replace(/^@/, ""));
    if (agent !== undefined) return { kind: "agent", agent };
    return { kind: "outside", name: personOf(name) };
  }

  join(name: string, asked: string): void {
    const channel = channelOf(asked);
    const agent = this.#roster.get(name);
    if (isMember(agent, channel)) return;
    const channels = [...agent.stored.channels, channel];
    agent.change({ channels }, [{ type: "channel_joined", agent: agent.name, channel }]);
  }

  leave(name: string, asked: string): void {
    const channel = channelOf(asked);
    const agent = this.#roster.get(name);
    if (!isMember(agent, channel)) throw notJoined(agent.name, channel);
    const channels = agent.stored.channels.filter((each) => !isSame(each, channel));
    agent.change({ channels }, [{ type: "channel_left", agent: agent.name, channel }]);
  }

  /** What a session told, where it is an agent's. */
  observe(sessionId: string, events: readonly SessionEvent[]): void {
    this.#roster.byId(sessionId)?.observe(events);
  }

  /** What an earlier life left: agents whose sessions are open go on once their VM was taken over, the others are gone. */
  restore(): void {
    for (const stored of this.#parts.store.livingAgents()) {
      const agent = this.#build(stored);
      for (const delivery of this.#parts.store.open(stored.agentId))
        if (!isTyped(delivery)) agent.mailbox.add(delivery);
      if (stored.spec.workflow !== undefined) {
        // Its run was interrupted: who resumes it begins the step anew, with another one.
        agent.giveUp("released", [
          {
            type: "agent_released",
            agent: agent.name,
            reason: "its workflow run was interrupted",
            by: "broker",
          },
        ]);
        continue;
      }
      if (this.#parts.sessions.look(agent.ref) !== undefined) {
        if (stored.state !== "ready") agent.change({ state: "ready" }, []);
        continue;
      }
      const reason = "its session did not outlive the sidecar";
      const ending = { agent: agent.name, exitCode: null, signal: null, reason };
      const told = [{ type: "agent_exited" as const, ...ending }];
      agent.over({ state: "dead", reason: "vm_ended", told });
    }
    for (const delivery of this.#parts.store.orphans()) this.#post.orphaned(delivery);
  }

  /** A VM of an earlier life was taken over: its agents go on, whoever holds it. */
  adopted(vmId: string): void {
    for (const agent of this.#roster.reachable) {
      if (agent.stored.vmId !== vmId || agent.stored.state !== "ready") continue;
      this.#parts.sessions.wake(agent.ref);
      agent.start();
    }
  }

  async #spawn(place: AgentPlace, agentId: string, spec: AgentSpec): Promise<Spawned> {
    const { journal, sessions, store } = this.#parts;
    this.#roster.assertFree(spec.name);
    this.#shadows.check(spec);
    if (spec.parent !== undefined) this.#roster.get(spec.parent);
    const { continueFrom } = spec;
    const left = typeof continueFrom === "string" ? store.continuity(continueFrom) : continueFrom;
    const seq = journal.lastSeq;
    const agent = this.#build(this.#newAgent(place, agentId, spec));
    journal.write({ addAgent: agent.stored }, []);
    await this.#giveTask(agent, left === undefined ? spec.task : taskWith(left, spec.task));
    try {
      await sessions.open(place, { ...spec.session, sessionId: agentId });
    } catch (error) {
      this.#parts.log.warn({ agentId, code: encodeError(error).code }, "an agent did not start");
      agent.over({ state: "dead", reason: "agent_exited", told: [] });
      throw error;
    }
    this.#ready(agent);
    const warning =
      typeof continueFrom === "string" && left === undefined
        ? { warning: `there is no continuity of ${continueFrom}` }
        : {};
    return { agent: agent.info(), seq, ...warning };
  }

  #ready(agent: Agent): void {
    const { name, agentId, spec, channels, model } = agent.stored;
    agent.change({ state: "ready" }, [
      {
        type: "agent_spawned",
        agent: name,
        agentId,
        sessionId: agentId,
        runtime: spec.session.runtime,
        model,
        parent: spec.parent ?? null,
      },
      { type: "agent_ready", agent: name },
      ...channels.map((channel) => ({ type: "channel_joined" as const, agent: name, channel })),
    ]);
    agent.start();
  }

  async #giveTask(agent: Agent, task: string | undefined): Promise<void> {
    if (task === undefined || task.trim() === "") return;
    const messageId = `init_${randomUUID()}`;
    const request = { messageId, to: agent.name, text: task, kind: "task", priority: 0 } as const;
    await this.#post.send(request, { kind: "outside", name: "broker" });
  }

  #newAgent({ vmId }: AgentPlace, agentId: string, spec: AgentSpec): StoredAgent {
    return {
      agentId,
      name: spec.name,
      vmId,
      spec,
      state: "starting",
      channels: [...new Set((spec.channels ?? []).map(channelOf))],
      model: spec.session.model ?? null,
      restarts: 0,
      held: false,
      createdAt: this.#parts.now(),
    };
  }

  #build(stored: StoredAgent): Agent {
    const agent = new Agent({
      parts: this.#parts,
      stored,
      undelivered: (ending) => this.#post.undelivered(ending),
      nudge: (nudged, text, count) => this.#nudge(nudged, text, count),
      exhausted: (idle) => void this.#release(idle, "idle", "broker").catch(() => undefined),
      gone: (over) => this.#gone(over),
    });
    this.#roster.add(agent);
    return agent;
  }

  #nudge(agent: Agent, text: string, count: number): void {
    this.#parts.journal.write({}, [{ type: "agent_nudged", agent: agent.name, count }]);
    this.#post.say({ to: agent.name, text, kind: "nudge", priority: 1 }, "nudge");
  }

  async #release(agent: Agent, reason: string, by: string): Promise<void> {
    // What a step's agent was at, its run knows.
    if (agent.stored.spec.workflow === undefined)
      this.saveContinuity(agent, agent.summary ?? reason);
    await agent.release([{ type: "agent_released", agent: agent.name, reason, by }], reason);
  }

  #gone(agent: Agent): void {
    this.#roster.remove(agent);
    for (const shadow of this.#shadows.of(agent.name)) {
      const text = `SESSION_END: ${agent.name} is gone.`;
      this.#post.say({ to: shadow.name, text, kind: "copy" }, "copy");
    }
  }
}

function notJoined(name: string, channel: string): AgentOsError<"NOT_FOUND"> {
  const message = `${name} is not a member of #${channel}`;
  return new AgentOsError("NOT_FOUND", message, {
    kind: "membership",
    id: `${name} in #${channel}`,
  });
}
