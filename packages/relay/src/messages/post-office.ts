import { randomUUID } from "node:crypto";

import type { StoredDelivery } from "@agentos/core";
import {
  AgentOsError,
  type MethodResult,
  type ParsedParams,
  type RelayHappening,
  type RelayMessage,
} from "@agentos/protocol";

import type { Agent } from "../agents/agent.ts";
import type { Roster } from "../agents/roster.ts";
import type { Shadows } from "../agents/shadows.ts";
import { RELAY_BOUNDS } from "../relay-bounds.ts";
import type { UserParts } from "../relay-parts.ts";
import { isSystem, parseAddress, personOf } from "./address.ts";
import { isLast, toldOf } from "./live-delivery.ts";
import type { NoRoom } from "./mailbox.ts";
import { isMember, isSame, type Reach } from "./reach.ts";
import { settle } from "./settle.ts";

/** Who says something: an agent by itself, or somebody else by name. */
export type Sender =
  | { readonly kind: "agent"; readonly agent: Agent }
  | { readonly kind: "outside"; readonly name: string };

export type SendRequest = Omit<ParsedParams<"relay.send">, "from" | "text"> & {
  readonly text: string;
  readonly kind?: RelayMessage["kind"];
};
export type Sent = MethodResult<"relay.send">;

interface Recipient {
  readonly name: string;
  readonly agent: Agent | undefined;
  readonly noRoom: NoRoom | undefined;
}

export interface PostOfficeOptions {
  readonly parts: UserParts;
  readonly roster: Roster;
  readonly reach: Reach;
  readonly shadows: Shadows;
}

/** Takes messages: who gets them is decided, and all of it is stored, before it says so. */
export class PostOffice {
  readonly #options: PostOfficeOptions;

  constructor(options: PostOfficeOptions) {
    this.#options = options;
  }

  /**
   * Accepts a message. The same messageId again is the same message. Throws `NOT_FOUND`, `ACL_DENIED`, `MAILBOX_FULL` or
   * `INVALID_ARGUMENT`, and nothing of it is stored.
   */
  send(request: SendRequest, sender: Sender): Sent {
    const { store, journal } = this.#options.parts;
    const known = store.message(request.messageId);
    if (known !== undefined) return this.#sent(known, store.deliveries(known.messageId), 0);
    const seq = journal.lastSeq;
    const message = this.#messageOf(request, sender);
    const recipients = this.#recipients(message, sender);
    const deliveries = this.#store(message, recipients);
    this.#answer(message);
    for (const [index, { agent, noRoom }] of recipients.entries()) {
      const delivery = deliveries[index];
      if (agent === undefined || delivery === undefined) continue;
      if (noRoom === undefined) agent.take(delivery, message);
      else this.undelivered(delivery);
    }
    for (const copy of this.#options.shadows.copiesOf(message, recipients)) this.#copy(copy);
    return this.#sent(message, deliveries, seq);
  }

  /** Sends a dead letter again: to the agent of that name that lives now, or to another. Throws `NOT_FOUND`, `INVALID_ARGUMENT` or `MAILBOX_FULL`. */
  redeliver(deliveryId: string, to: string | undefined): { deliveryId: string; recipient: string } {
    const { parts, roster } = this.#options;
    const dead = parts.store.delivery(deliveryId);
    const message = dead === undefined ? undefined : parts.store.message(dead.messageId);
    if (dead === undefined || message === undefined) throw unknownDelivery(deliveryId);
    if (dead.state !== "dead_lettered") throw notDead(deliveryId, dead.state);
    const agent = roster.get(to ?? dead.recipient);
    const noRoom = agent.mailbox.noRoom(dead.bytes);
    if (noRoom !== undefined) throw full(agent.name, noRoom);
    const recipient = { name: agent.name, agent, noRoom };
    const next = newDelivery({ ...message, at: parts.now() }, recipient);
    // What was dead is dealt with: it is not sent twice.
    const { history } = dead;
    const redelivered = { deliveryId, state: "failed" as const, detail: next.deliveryId, history };
    parts.journal.write({ addDeliveries: [next], changeDeliveries: [redelivered] }, [toldOf(next)]);
    agent.take(next, message);
    return { deliveryId: next.deliveryId, recipient: agent.name };
  }

  /** A delivery ended, and its recipient has not seen it: its sender is told, unless it was the relay. */
  undelivered(delivery: StoredDelivery): void {
    const message = this.#options.parts.store.message(delivery.messageId);
    if (message === undefined || message.kind !== "message" || isSystem(message.from)) return;
    const { recipient, reason = "rejected", state, detail } = delivery;
    const why = detail === undefined ? reason : `${reason}: ${detail}`;
    const text = `Your message ${message.messageId} to ${recipient} was not delivered: ${state}, ${why}.`;
    const to = isPerson(message.from)
      ? message.from
      : this.#options.roster.find(message.from)?.name;
    if (to === undefined) return;
    this.#say({
      to,
      text,
      kind: "notice",
      threadId: message.threadId,
      replyTo: message.messageId,
      data: { messageId: message.messageId, recipient, state, reason },
    });
  }

  /** Tells a denial, and gives the error to throw. */
  denied(sender: Agent, target: string, ownerChain: string[]): AgentOsError {
    const { parts, reach } = this.#options;
    const told = { type: "acl_denied", agent: target, sender: sender.name, ownerChain } as const;
    parts.journal.write({}, [told]);
    return reach.denied(sender, target, ownerChain);
  }

  /** The relay's own word to somebody. Where its mailbox is full, nobody hears it. */
  #say(request: Omit<SendRequest, "messageId">): void {
    try {
      this.send(
        { messageId: `msg_${randomUUID()}`, ...request },
        { kind: "outside", name: "broker" },
      );
    } catch (error) {
      const code = error instanceof AgentOsError ? error.code : "INTERNAL";
      this.#options.parts.log.warn({ code }, "a notice of the relay was not taken");
    }
  }

  #copy({ shadow, text, of }: { shadow: Agent; text: string; of: RelayMessage }): void {
    this.#say({
      to: shadow.name,
      text,
      kind: "copy",
      threadId: of.threadId,
      priority: of.priority,
    });
  }

  #messageOf(request: SendRequest, sender: Sender): RelayMessage {
    const { store, now } = this.#options.parts;
    const { messageId, to, text, kind = "message", priority, data, mode } = request;
    const replyTo = request.replyTo ?? undefined;
    const original = replyTo === undefined ? undefined : store.message(replyTo);
    if (replyTo !== undefined && original === undefined) {
      const details = { kind: "message", id: replyTo };
      throw new AgentOsError("NOT_FOUND", `no message ${replyTo} to reply to`, details);
    }
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

  /** Who gets it. Of many, one whose mailbox is full does not keep it from the others. */
  #recipients(message: RelayMessage, sender: Sender): Recipient[] {
    const bytes = Buffer.byteLength(message.text);
    const address = parseAddress(message.to);
    if (address.kind === "person") {
      const name = personOf(address.name);
      return [{ name, agent: undefined, noRoom: undefined }];
    }
    if (address.kind === "agent") {
      const agent = this.#options.roster.get(address.name);
      this.#assertMayWrite(sender, agent);
      const noRoom = agent.mailbox.noRoom(bytes);
      if (noRoom !== undefined) throw full(agent.name, noRoom);
      return [{ name: agent.name, agent, noRoom }];
    }
    const agents = this.#members(address, sender);
    return agents.map((agent) => {
      return { name: agent.name, agent, noRoom: agent.mailbox.noRoom(bytes) };
    });
  }

  #members(
    address: { kind: "everybody" | "channel" | "team"; name?: string },
    sender: Sender,
  ): Agent[] {
    const { roster, reach } = this.#options;
    const { kind, name = "" } = address;
    const others = roster.reachable.filter(
      (agent) => sender.kind === "outside" || agent !== sender.agent,
    );
    const named = others.filter(
      (agent) => sender.kind === "agent" || !isSame(agent.name, sender.name),
    );
    if (kind === "channel") {
      if (sender.kind === "agent" && !reach.mayWriteInto(sender.agent, name))
        throw this.denied(sender.agent, `#${name}`, []);
      return named.filter((agent) => isMember(agent, name));
    }
    const wanted = named.filter(
      (agent) => kind === "everybody" || isSame(agent.stored.spec.team ?? "", name),
    );
    // To everybody means to everybody within reach.
    return sender.kind === "outside"
      ? wanted
      : wanted.filter((agent) => reach.mayWrite(sender.agent, agent));
  }

  #assertMayWrite(sender: Sender, target: Agent): void {
    const { reach } = this.#options;
    if (sender.kind === "outside" || reach.mayWrite(sender.agent, target)) return;
    throw this.denied(sender.agent, target.name, reach.ownerChain(target));
  }

  #store(message: RelayMessage, recipients: readonly Recipient[]): StoredDelivery[] {
    const { messageId, from, to, threadId, priority, text } = message;
    const deliveries = recipients.map((recipient) => newDelivery(message, recipient));
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
    ];
    this.#options.parts.journal.write({ addMessages: [message], addDeliveries: deliveries }, told);
    return deliveries;
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

  #sent(message: RelayMessage, deliveries: readonly StoredDelivery[], seq: number): Sent {
    const { messageId, threadId } = message;
    return {
      messageId,
      threadId,
      state: "accepted",
      deliveries: deliveries.map(({ deliveryId, recipient }) => ({ deliveryId, recipient })),
      seq,
    };
  }
}

function newDelivery(message: RelayMessage, { name, agent, noRoom }: Recipient): StoredDelivery {
  const { messageId, at, priority, text } = message;
  const accepted = { state: "accepted" as const, at };
  const next = noRoom === undefined ? ("queued" as const) : ("dead_lettered" as const);
  const prefix = message.kind === "task" ? "init" : "del";
  return {
    deliveryId: `${prefix}_${randomUUID()}`,
    messageId,
    recipient: name,
    agentId: agent?.agentId ?? null,
    state: next,
    ...(noRoom === undefined ? {} : { reason: "mailbox_full" as const }),
    attempts: 0,
    history: [accepted, { state: next, at }],
    priority,
    bytes: Buffer.byteLength(text),
    acceptedAt: at,
    sessionSeq: null,
  };
}

function unknownDelivery(deliveryId: string): AgentOsError<"NOT_FOUND"> {
  const details = { kind: "delivery", id: deliveryId };
  return new AgentOsError("NOT_FOUND", `no delivery ${deliveryId}`, details);
}

function notDead(deliveryId: string, state: string): AgentOsError<"INVALID_ARGUMENT"> {
  const message = `deliveryId: expected a dead letter, got ${deliveryId}, which is ${state}`;
  const details = { argument: "deliveryId", expected: "a dead letter", actual: state };
  return new AgentOsError("INVALID_ARGUMENT", message, details);
}

function isPerson(name: string): boolean {
  return /^human:/i.test(name);
}

function full(agent: string, { limit, capacity, waiting }: NoRoom): AgentOsError<"MAILBOX_FULL"> {
  const message = `the mailbox of ${agent} is full: ${waiting} of ${capacity} (${limit})`;
  return new AgentOsError("MAILBOX_FULL", message, { agent, limit, capacity, waiting });
}
