import { randomUUID } from "node:crypto";

import type { StoredDelivery } from "@agentos/core";
import {
  AgentOsError,
  isAgentOsError,
  type ParsedParams,
  type RelayHappening,
  type RelayMessage,
} from "@agentos/protocol";

import type { Agent } from "../agents/agent.ts";
import type { Roster } from "../agents/roster.ts";
import type { Copy, Shadows } from "../agents/shadows.ts";
import { RELAY_BOUNDS } from "../relay-bounds.ts";
import type { UserParts } from "../relay-parts.ts";
import { isSystem } from "./address.ts";
import { type Advance, advance, isLast, isTyped, toldOf, wasSeen } from "./live-delivery.ts";
import { abandon, newDelivery, type Posting, type Sent, sentOf } from "./posting.ts";
import { Recipients, type Sender } from "./recipients.ts";
import { isSame, type Reach } from "./reach.ts";
import { settle } from "./settle.ts";

export type SendRequest = Omit<ParsedParams<"relay.send">, "from" | "text"> & {
  readonly text: string;
  readonly kind?: RelayMessage["kind"];
};

export interface PostOfficeOptions {
  readonly parts: UserParts;
  readonly roster: Roster;
  readonly reach: Reach;
  readonly shadows: Shadows;
}

/** Takes messages: who gets them is decided, and all of it is stored, before it says so. */
export class PostOffice {
  readonly #options: PostOfficeOptions;
  readonly #recipients: Recipients;
  /** Messages that are being stored, by id. */
  readonly #inFlight = new Map<string, Promise<Sent>>();

  constructor(options: PostOfficeOptions) {
    this.#options = options;
    this.#recipients = new Recipients(options);
  }

  /**
   * Accepts a message; resolves once it is stored. The same messageId again is the same message. Rejects with
   * `NOT_FOUND`, `ACL_DENIED`, `MAILBOX_FULL` or `INVALID_ARGUMENT`, and nothing of it is stored.
   */
  async send(request: SendRequest, sender: Sender): Promise<Sent> {
    const { messageId } = request;
    const known = this.#inFlight.get(messageId);
    if (known !== undefined) return await known;
    const sent = this.#send(request, sender);
    this.#inFlight.set(messageId, sent);
    try {
      return await sent;
    } finally {
      this.#inFlight.delete(messageId);
    }
  }

  /** The relay's own word to somebody. Where its mailbox is full, or it is gone, nobody hears it. */
  say(request: Omit<SendRequest, "messageId">, prefix = "msg"): void {
    const messageId = `${prefix}_${randomUUID()}`;
    this.send({ messageId, ...request }, BROKER).catch((error: unknown) => this.#unheard(error));
  }

  /** Writes that a delivery ended and its recipient has not seen it; its sender is told with it, unless it was the relay. */
  undelivered({ next, change, told }: Advance): void {
    const message = this.#options.parts.store.message(next.messageId);
    const notice = message === undefined ? undefined : this.#noticeOf(message, next);
    const { addMessages = [], addDeliveries = [] } = notice?.write ?? {};
    const write = { addMessages, addDeliveries, changeDeliveries: [change] };
    try {
      this.#options.parts.journal.write(write, [told, ...(notice?.told ?? [])]);
    } catch (error) {
      if (notice !== undefined) abandon(notice);
      throw error;
    }
    if (notice !== undefined) this.#written(notice);
  }

  /** The sidecar was killed after its agent's end was written, and before its own. */
  orphaned(delivery: StoredDelivery): void {
    if (isTyped(delivery)) return;
    const { store, journal, now } = this.#options.parts;
    const isReleased = store.agentById(delivery.agentId ?? "")?.state === "released";
    const reason = isReleased ? "released" : "agent_dead";
    const state = wasSeen(delivery) ? "failed" : "dead_lettered";
    const ending = advance(delivery, { state, reason }, now());
    if (ending === undefined) return;
    if (state === "failed") journal.write({ changeDeliveries: [ending.change] }, [ending.told]);
    else this.undelivered(ending);
  }

  /** Tells a denial, and gives the error to throw. */
  denied(sender: Agent, target: string, ownerChain: string[]): AgentOsError {
    return this.#recipients.denied(sender, target, ownerChain);
  }

  async #send(request: SendRequest, sender: Sender): Promise<Sent> {
    const { store, journal } = this.#options.parts;
    const known = store.message(request.messageId);
    if (known !== undefined) return sentOf(known, store.deliveries(known.messageId), 0);
    const seq = journal.lastSeq;
    const posting = this.#posting(request, sender);
    try {
      await journal.writeTogether(posting.write, posting.told);
    } catch (error) {
      abandon(posting);
      throw error;
    }
    this.#written(posting);
    return sentOf(posting.message, posting.deliveries, seq);
  }

  /** Decides who gets it, and keeps room for it. */
  #posting(request: SendRequest, sender: Sender): Posting {
    const message = this.#messageOf(request, sender);
    const recipients = this.#recipients.of(message, sender);
    const deliveries = recipients.map((recipient) => newDelivery(message, recipient));
    for (const [index, { agent, noRoom }] of recipients.entries()) {
      const delivery = deliveries[index];
      if (delivery !== undefined && noRoom === undefined) agent?.mailbox.hold(delivery);
    }
    const notices = deliveries.flatMap((delivery) => {
      if (delivery.state !== "dead_lettered") return [];
      return this.#noticeOf(message, delivery) ?? [];
    });
    const { messageId, from, to, threadId, priority, text } = message;
    const told: RelayHappening[] = [
      {
        type: "message",
        messageId,
        from,
        to,
        threadId,
        priority,
        recipients: recipients.map(({ name }) => name),
        preview: text.slice(0, RELAY_BOUNDS.previewChars).toWellFormed(),
      },
      ...deliveries.map(toldOf),
      ...notices.flatMap((notice) => notice.told),
    ];
    const addMessages = [message, ...notices.flatMap(({ write }) => write.addMessages)];
    const addDeliveries = [...deliveries, ...notices.flatMap(({ write }) => write.addDeliveries)];
    const write = { addMessages, addDeliveries };
    return { message, recipients, deliveries, write, told, notices };
  }

  /** It is stored: its recipients get it. */
  #written({ message, recipients, deliveries, notices }: Posting): void {
    this.#answer(message);
    for (const [index, { agent, noRoom }] of recipients.entries()) {
      const delivery = deliveries[index];
      if (delivery !== undefined && noRoom === undefined) agent?.take(delivery, message);
    }
    for (const notice of notices) this.#written(notice);
    for (const copy of this.#options.shadows.copiesOf(message, recipients)) this.#copy(copy);
  }

  /** What the sender of a message is told of one that has not seen it. Undefined: nobody is told. */
  #noticeOf(
    message: RelayMessage,
    { recipient, reason = "rejected", state, detail }: StoredDelivery,
  ): Posting | undefined {
    if (message.kind !== "message" || isSystem(message.from)) return undefined;
    const { messageId, threadId } = message;
    const why = detail === undefined ? reason : `${reason}: ${detail}`;
    const text = `Your message ${messageId} to ${recipient} was not delivered: ${state}, ${why}.`;
    const to = isPerson(message.from)
      ? message.from
      : this.#options.roster.find(message.from)?.name;
    if (to === undefined) return undefined;
    const data = { messageId, recipient, state, reason };
    const own = { messageId: `msg_${randomUUID()}`, kind: "notice" as const, replyTo: messageId };
    try {
      return this.#posting({ ...own, to, text, threadId, data }, BROKER);
    } catch (error) {
      this.#unheard(error);
      return undefined;
    }
  }

  #unheard(error: unknown): void {
    const code = isAgentOsError(error) ? error.code : "INTERNAL";
    this.#options.parts.log.warn({ code }, "a notice of the relay was not taken");
  }

  #copy({ shadow, text, of: { threadId, priority } }: Copy): void {
    this.say({ to: shadow.name, text, kind: "copy", threadId, priority });
  }

  #messageOf(request: SendRequest, sender: Sender): RelayMessage {
    const { now } = this.#options.parts;
    const { messageId, to, text, kind = "message", priority, data, mode } = request;
    const replyTo = request.replyTo ?? undefined;
    const original = replyTo === undefined ? undefined : this.#original(replyTo);
    return {
      messageId,
      kind,
      from: sender.kind === "agent" ? sender.agent.name : sender.name,
      to,
      text,
      threadId: request.threadId ?? original?.threadId ?? messageId,
      ...(replyTo === undefined ? {} : { replyTo }),
      priority: priority ?? 2,
      ...(data === undefined || data === null ? {} : { data }),
      ...(mode === undefined || mode === null ? {} : { mode }),
      at: now(),
    };
  }

  #original(replyTo: string): RelayMessage {
    const { store, journal } = this.#options.parts;
    if (this.#inFlight.has(replyTo)) journal.flush();
    const original = store.message(replyTo);
    if (original !== undefined) return original;
    const details = { kind: "message", id: replyTo };
    throw new AgentOsError("NOT_FOUND", `no message ${replyTo} to reply to`, details);
  }

  /** A reply proves that what it answers was read. */
  #answer({ replyTo, from, kind }: RelayMessage): void {
    if (replyTo === undefined || kind !== "message") return;
    const { parts, roster } = this.#options;
    const answered = parts.store
      .deliveries(replyTo)
      .find(({ recipient, state }) => isSame(recipient, from) && !isLast(state));
    if (answered === undefined) return;
    const agent = answered.agentId === null ? undefined : roster.byId(answered.agentId);
    const step = { state: "answered", confirmation: "reply" } as const;
    if (agent?.mailbox.step(answered.deliveryId, step) === true) return;
    settle(parts, answered, step);
  }
}

const BROKER: Sender = { kind: "outside", name: "broker" };

function isPerson(name: string): boolean {
  return /^human:/i.test(name);
}
