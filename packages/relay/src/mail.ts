import type { RelayStore } from "@agentos/core";
import { AgentOsError, DEFAULTS, type MethodResult, type ParsedParams } from "@agentos/protocol";

import { RELAY_BOUNDS } from "./relay-bounds.ts";
import { parseAddress, personOf } from "./messages/address.ts";
import { settle } from "./messages/settle.ts";
import type { UserRelay } from "./user-relay.ts";

/** What may be read of a user's messages. */
export class Mail {
  readonly #relay: UserRelay;

  constructor(relay: UserRelay) {
    this.#relay = relay;
  }

  message({ messageId, offset = 0 }: ParsedParams<"relay.message">): MethodResult<"relay.message"> {
    const store = this.#store();
    const message = store.message(messageId);
    if (message === undefined) {
      const details = { kind: "message", id: messageId };
      throw new AgentOsError("NOT_FOUND", `no message ${messageId}`, details);
    }
    const text = message.text.slice(offset, offset + RELAY_BOUNDS.messageChars);
    const deliveries = [...store.deliveries(messageId)];
    return { message: { ...message, text }, deliveries, length: message.text.length };
  }

  inbox({
    of,
    all = false,
    limit = 100,
  }: ParsedParams<"relay.inbox">): MethodResult<"relay.inbox"> {
    const { roster } = this.#relay;
    const address = of === undefined ? undefined : parseAddress(of);
    const recipient =
      address?.kind === "agent"
        ? (roster.find(address.name)?.name ?? address.name)
        : personOf(address?.kind === "person" ? address.name : undefined);
    const maxBytes = DEFAULTS.eventBatchBytes;
    const entries = [...this.#store().inbox({ recipient, all, limit: limit + 1, maxBytes })];
    const more = entries.length > limit;
    const told = entries.slice(0, limit);
    return { entries: told, more };
  }

  /** A person has read them. What is an agent's is told by its turns, and passed over. */
  read({ deliveryIds }: ParsedParams<"relay.read">): void {
    const { parts } = this.#relay;
    for (const deliveryId of deliveryIds) {
      const stored = parts.store.delivery(deliveryId);
      if (stored?.agentId === null)
        settle(parts, stored, { state: "consumed", confirmation: "read" });
    }
  }

  history({ limit = 100, ...query }: ParsedParams<"relay.history">): MethodResult<"relay.history"> {
    const store = this.#store();
    const maxBytes = DEFAULTS.eventBatchBytes;
    return { messages: [...store.history({ ...query, limit, maxBytes })] };
  }

  threads({ limit = 100 }: ParsedParams<"relay.threads">): MethodResult<"relay.threads"> {
    return { threads: [...this.#store().threads(limit)] };
  }

  deadLetters({
    limit = 100,
  }: ParsedParams<"relay.deadLetters">): MethodResult<"relay.deadLetters"> {
    const entries = this.#store().deadLetters(limit, DEFAULTS.eventBatchBytes);
    return { entries: [...entries] };
  }

  channels(): MethodResult<"relay.channels"> {
    const members = new Map<string, string[]>();
    for (const { name, stored } of this.#relay.roster.reachable) {
      for (const channel of stored.channels)
        members.set(channel, [...(members.get(channel) ?? []), name]);
    }
    const channels = [...members].map(([name, names]) => ({ name, members: names }));
    return { channels: channels.toSorted((a, b) => a.name.localeCompare(b.name)) };
  }

  /** With all that was seen so far. */
  #store(): RelayStore {
    const { journal, store } = this.#relay.parts;
    journal.flush();
    return store;
  }
}
