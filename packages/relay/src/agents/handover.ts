import type { StoredDelivery } from "@agentos/core";
import {
  type Content,
  encodeError,
  isAgentOsError,
  type RelayMessage,
  type SessionEvent,
  type TurnResult,
} from "@agentos/protocol";

import { RELAY_BOUNDS } from "../relay-bounds.ts";
import { fileOf, isLong, promptOf } from "../messages/prompt-of.ts";
import type { UserParts } from "../relay-parts.ts";
import type { Agent } from "./agent.ts";

export interface HandoverOptions {
  readonly agent: Agent;
  readonly parts: UserParts;
}

/** The session is gone: its agent's end, which follows, says what becomes of the delivery. */
const GONE = ["SESSION_CLOSED", "NOT_FOUND", "DISPOSED"] as const;

/** Before the second try; doubled with each further one. */
const RETRY_MS = 1_000;

/** Gives an agent its messages, and sees what it does with them. */
export class Handover {
  readonly #options: HandoverOptions;
  /** Turns that are watched, by id: a delivery's own, or one that was steered. */
  readonly #turns = new Map<string, PromiseWithResolvers<TurnResult | undefined>>();
  /** Deliveries whose text was seen on their terminal. */
  readonly #echoed = new Set<string>();
  /** Deliveries that were steered into the turn that runs. */
  readonly #steered = new Set<string>();
  #idle: PromiseWithResolvers<void> | undefined;
  #paused: (() => void) | undefined;
  #isHinted = false;

  constructor(options: HandoverOptions) {
    this.#options = options;
  }

  /**
   * One message as one turn, from its stored delivery to the turn's end. What its session refuses for now is tried
   * again, ever later. Never rejects.
   */
  async deliver({ deliveryId }: StoredDelivery): Promise<void> {
    const { mailbox } = this.#options.agent;
    for (let tries = 1; ; tries += 1) {
      const delivery = mailbox.get(deliveryId);
      // oxlint-disable-next-line no-await-in-loop -- One try after the other.
      if (delivery === undefined || !(await this.#try(delivery))) return;
      if (!mailbox.retry(deliveryId)) return;
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await this.#pause(Math.min(RETRY_MS * 2 ** (tries - 1), RELAY_BOUNDS.longestCooldownMs));
    }
  }

  /** Whether another try may help. */
  async #try({ deliveryId, messageId, sessionSeq }: StoredDelivery): Promise<boolean> {
    const { agent, parts } = this.#options;
    const turn = Promise.withResolvers<TurnResult | undefined>();
    this.#turns.set(deliveryId, turn);
    try {
      await this.#untilIdle();
      const before = parts.sessions.look(agent.ref)?.lastSeq ?? 0;
      const message = parts.store.message(messageId);
      if (message === undefined || agent.mailbox.get(deliveryId) === undefined) return false;
      const content = await this.#contentOf(message);
      const { seq } = parts.sessions.prompt(agent.ref, { turnId: deliveryId, content });
      if (!this.#isTerminal)
        agent.mailbox.step(deliveryId, { state: "handed_over", sessionSeq: seq });
      // An earlier life gave it to the session already.
      if (sessionSeq !== null || seq < before) await this.#catchUp(deliveryId, seq);
      this.#ended(deliveryId, await turn.promise);
      return false;
    } catch (error) {
      return this.#refused(deliveryId, error);
    } finally {
      this.#turns.delete(deliveryId);
      this.#echoed.delete(deliveryId);
    }
  }

  /** Whether the message goes into the running turn. */
  mayOvertake({ mode, priority, kind }: RelayMessage): boolean {
    const { agent, parts } = this.#options;
    const wanted = mode ?? agent.stored.spec.delivery ?? (priority === 0 ? "steer" : "wait");
    if (wanted !== "steer" || kind === "task") return false;
    const look = parts.sessions.look(agent.ref);
    return look?.state === "running" && look.canSteer;
  }

  /** Into the running turn; where that is over meanwhile, it waits as any other. Never rejects. */
  async overtake(delivery: StoredDelivery, message: RelayMessage): Promise<void> {
    const { agent } = this.#options;
    const { deliveryId } = delivery;
    if (agent.mailbox.get(deliveryId) === undefined) return;
    if (!(await this.#steer(deliveryId, message))) return agent.mailbox.enqueue(deliveryId);
    agent.mailbox.step(deliveryId, { state: "handed_over", confirmation: "steer" });
    agent.mailbox.step(deliveryId, { state: "consumed", confirmation: "steer" });
    this.#steered.add(deliveryId);
  }

  observe(event: SessionEvent): void {
    const { agent } = this.#options;
    const { turnId } = event;
    if (event.type === "state" && event.state !== "running" && event.state !== "waiting")
      this.#idle?.resolve();
    if (turnId === null) return;
    if (event.type === "turn_start" && this.#turns.has(turnId)) this.#begun(turnId);
    if (event.type === "raw" && event.source === "echo" && this.#turns.has(turnId))
      this.#echoed.add(turnId);
    if (event.type !== "turn_end") return;
    this.#turns.get(turnId)?.resolve(event.result);
    for (const deliveryId of this.#steered)
      agent.mailbox.step(deliveryId, lastStepOf(event.result));
    this.#steered.clear();
  }

  /** Nothing more will be seen. */
  end(): void {
    this.#idle?.resolve();
    this.#paused?.();
    for (const turn of this.#turns.values()) turn.resolve(undefined);
  }

  get #isTerminal(): boolean {
    const { agent, parts } = this.#options;
    return parts.sessions.look(agent.ref)?.transport === "terminal";
  }

  #begun(deliveryId: string): void {
    // In a terminal nothing tells whether the agent read what was typed.
    if (this.#isTerminal) return;
    this.#options.agent.mailbox.step(deliveryId, { state: "consumed", confirmation: "turn" });
  }

  async #catchUp(deliveryId: string, seq: number): Promise<void> {
    const { agent, parts } = this.#options;
    const { begun, result } = await parts.sessions.progress(agent.ref, deliveryId, seq);
    if (begun) this.#begun(deliveryId);
    if (result !== undefined) this.#turns.get(deliveryId)?.resolve(result);
  }

  #ended(deliveryId: string, result: TurnResult | undefined): void {
    const { agent } = this.#options;
    if (result === undefined) return;
    if (this.#isTerminal && result.error === undefined && result.stopReason === "end_turn") {
      const confirmation = this.#echoed.has(deliveryId) ? "echo" : "written";
      agent.mailbox.step(deliveryId, { state: "handed_over", confirmation });
      return agent.mailbox.done(deliveryId);
    }
    agent.mailbox.step(deliveryId, lastStepOf(result));
  }

  #refused(deliveryId: string, error: unknown): boolean {
    if (GONE.some((code) => isAgentOsError(error, code))) return false;
    const { agent, parts } = this.#options;
    const { code, message } = encodeError(error);
    parts.log.warn({ agentId: agent.agentId, code }, "an agent's session refused a message");
    const isHandedOver = agent.mailbox.get(deliveryId)?.state !== "queued";
    if (isAgentOsError(error) && error.retryable && !isHandedOver) return true;
    const step = { state: "dead_lettered", reason: "rejected", detail: message } as const;
    agent.mailbox.step(deliveryId, step);
    return false;
  }

  /** Ends early with the agent. */
  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.parts.clock.after(ms, resolve);
    this.#paused = resolve;
    await promise;
    this.#paused = undefined;
    cancel();
  }

  async #contentOf(message: RelayMessage): Promise<Content> {
    const { agent, parts } = this.#options;
    if (isLong(message)) await parts.sessions.writeFile(agent.ref, fileOf(message), message.text);
    const content = promptOf(message, { hint: !this.#isHinted });
    this.#isHinted ||= message.kind === "message";
    return content;
  }

  async #steer(deliveryId: string, message: RelayMessage): Promise<boolean> {
    const { agent, parts } = this.#options;
    try {
      return await parts.sessions.steer(agent.ref, await this.#contentOf(message));
    } catch (error) {
      const { code } = encodeError(error);
      parts.log.warn({ agentId: agent.agentId, deliveryId, code }, "an agent could not be steered");
      return false;
    }
  }

  /** The turn that runs may be somebody else's: what is urgent by its end comes first. */
  async #untilIdle(): Promise<void> {
    const { agent, parts } = this.#options;
    const state = parts.sessions.look(agent.ref)?.state;
    if (state !== "running" && state !== "waiting") return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
    this.#idle = undefined;
  }
}

function lastStepOf({ stopReason, error }: TurnResult): Parameters<Agent["mailbox"]["step"]>[1] {
  if (stopReason === "cancelled") return { state: "failed", reason: "cancelled" };
  if (stopReason === "interrupted") return { state: "failed", reason: "interrupted" };
  if (error !== undefined) return { state: "failed", reason: "turn_failed", detail: error.message };
  return { state: "answered", confirmation: "turn" };
}
