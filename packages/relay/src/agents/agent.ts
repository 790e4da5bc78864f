import type { SessionRef, StoredAgent, StoredDelivery } from "@agentos/core";
import {
  type AgentActivity,
  type AgentInfo,
  type DeliveryReason,
  isAgentOsError,
  type RelayHappening,
  type RelayMessage,
  type SessionEvent,
} from "@agentos/protocol";

import type { Advance } from "../messages/live-delivery.ts";
import { Mailbox } from "../messages/mailbox.ts";
import type { UserParts } from "../relay-parts.ts";
import { infoOf } from "./agent-view.ts";
import { Handover } from "./handover.ts";
import { IdleWatch } from "./idle-watch.ts";
import { Lifeline } from "./lifeline.ts";
import { Nudger } from "./nudger.ts";

export interface AgentOptions {
  readonly parts: UserParts;
  readonly stored: StoredAgent;
  /** It ended, and the agent has not seen it: writes that. */
  readonly undelivered: (ending: Advance) => void;
  readonly nudge: (agent: Agent, text: string, count: number) => void;
  /** It was reminded in vain, and is to be released. */
  readonly exhausted: (agent: Agent) => void;
  /** It is gone by itself, for good: its name is free. */
  readonly gone: (agent: Agent) => void;
}

/** How an agent ended, for who asks later. */
export interface AgentEnding {
  readonly state: "released" | "dead";
  readonly reason: DeliveryReason;
  readonly told: readonly RelayHappening[];
}

/** One living agent: its mailbox, its session, and what is known of both. */
export class Agent {
  readonly mailbox: Mailbox;
  /** Its own words for whoever goes on from it. */
  summary: string | undefined;
  readonly #options: AgentOptions;
  readonly #handover: Handover;
  readonly #idle: IdleWatch;
  readonly #nudger: Nudger;
  readonly #lifeline: Lifeline;
  #stored: StoredAgent;
  #isEnding = false;
  #isOver = false;

  constructor(options: AgentOptions) {
    const { parts, stored } = options;
    this.#options = options;
    this.#stored = stored;
    this.#handover = new Handover({ agent: this, parts });
    this.mailbox = new Mailbox({
      parts,
      deliver: (delivery) => this.#handover.deliver(delivery),
      undelivered: options.undelivered,
      isHeld: stored.held,
    });
    this.#idle = new IdleWatch({
      clock: parts.clock,
      idleMs: stored.spec.idleMs,
      isBusy: () => this.activity !== "idle" || !this.mailbox.isEmpty,
      idle: (idleMs) => {
        parts.journal.write({}, [{ type: "agent_idle", agent: this.name, idleMs }]);
        this.#nudger.idle();
      },
    });
    this.#nudger = new Nudger({
      clock: parts.clock,
      policy: stored.spec.nudge,
      nudge: (text, count) => options.nudge(this, text, count),
      exhausted: () => options.exhausted(this),
    });
    this.#lifeline = new Lifeline({ agent: this, parts });
  }

  get stored(): StoredAgent {
    return this.#stored;
  }

  get name(): string {
    return this.#stored.name;
  }

  get agentId(): string {
    return this.#stored.agentId;
  }

  get ref(): SessionRef {
    return { user: this.#options.parts.user, sessionId: this.#stored.agentId };
  }

  /** Whether messages may be sent to it. */
  get isReachable(): boolean {
    return !this.#isEnding && !this.#isOver;
  }

  get activity(): AgentActivity {
    const state = this.#options.parts.sessions.look(this.ref)?.state;
    if (state === "waiting") return "blocked";
    return state === "running" || state === "starting" ? "working" : "idle";
  }

  info(): AgentInfo {
    const { isTold: idle } = this.#idle;
    const { pending } = this.mailbox;
    return infoOf(this.#stored, { activity: this.activity, idle, pending });
  }

  /** Writes what changed of it, with what is told of that. */
  change(
    change: Partial<Pick<StoredAgent, "state" | "channels" | "model" | "restarts" | "held">>,
    told: readonly RelayHappening[],
  ): void {
    const { journal } = this.#options.parts;
    journal.write({ changeAgent: { agentId: this.agentId, change } }, told);
    this.#stored = { ...this.#stored, ...change };
  }

  /** Its mail stays where it is, or goes on as it comes. */
  hold(held: boolean): void {
    if (this.#stored.held === held) return;
    this.change({ held }, [{ type: "agent_held", agent: this.name, held }]);
    this.mailbox.setHeld(held);
  }

  /** Delivers what is held now. */
  flush(): number {
    const count = this.mailbox.flush();
    const { journal } = this.#options.parts;
    journal.write({}, [{ type: "agent_flushed", agent: this.name, count }]);
    return count;
  }

  /** Its session is there and may be used. */
  start(): void {
    this.#lifeline.started();
    this.#idle.sign();
    this.mailbox.start();
  }

  /** A message is stored that its mailbox holds. */
  take(delivery: StoredDelivery, message: RelayMessage): void {
    this.#idle.sign();
    if (message.kind !== "nudge") this.#nudger.reset();
    if (!this.#stored.held && this.#handover.mayOvertake(message))
      void this.#handover.overtake(delivery, message);
    else this.mailbox.enqueue(delivery.deliveryId);
  }

  /** What its session told. */
  observe(events: readonly SessionEvent[]): void {
    for (const event of events) {
      if (this.#isOver) return;
      // What a release cuts off is told as its end.
      if (!this.#isEnding) this.#handover.observe(event);
      if (isSign(event)) this.#alive();
      if (event.type === "agent_exited") this.#lifeline.died(event.error);
      if (event.type === "state" && (event.state === "closed" || event.state === "failed"))
        this.#sessionEnded(event.reason);
    }
  }

  /** Ends it; resolves once nothing of it is left. Every later call shares the first one's end. */
  async release(told: readonly RelayHappening[], reason: string): Promise<void> {
    if (this.#isEnding || this.#isOver) return;
    this.#isEnding = true;
    this.#lifeline.stop();
    this.mailbox.pause();
    try {
      await this.#options.parts.sessions.close(this.ref, reason);
    } finally {
      this.over({ state: "released", reason: "released", told });
    }
  }

  /** It ends now, whatever its session does. */
  over({ state, reason, told }: AgentEnding): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#idle.stop();
    this.#nudger.stop();
    this.#lifeline.stop();
    this.change({ state }, told);
    this.mailbox.close(reason);
    this.#handover.end();
    this.#options.gone(this);
  }

  /** It died, for good: its session is closed as well. */
  giveUp(reason: DeliveryReason, told: readonly RelayHappening[]): void {
    this.#isEnding = true;
    this.over({ state: "dead", reason, told });
    const { sessions, log } = this.#options.parts;
    sessions.close(this.ref, "its agent is gone").catch((error: unknown) => {
      const facts = { agentId: this.agentId, code: isAgentOsError(error) ? error.code : "?" };
      log.error(facts, "a dead agent's session did not close");
    });
  }

  #alive(): void {
    this.#idle.sign();
    this.#nudger.stop();
  }

  #sessionEnded(reason = "its session was closed"): void {
    if (this.#isEnding) return;
    const isOfVm = reason.startsWith("its VM has ended");
    const ending = { agent: this.name, exitCode: null, signal: null, reason };
    this.over({
      state: "dead",
      reason: isOfVm ? "vm_ended" : "agent_exited",
      told: [{ type: "agent_exited", ...ending }],
    });
  }
}

function isSign({ type }: SessionEvent): boolean {
  return type === "text" || type === "tool_output" || type === "turn_start" || type === "turn_end";
}
