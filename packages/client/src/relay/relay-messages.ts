import { randomUUID } from "node:crypto";

import type {
  DeliveryState,
  InboxEntry,
  JsonObject,
  MethodParams,
  MethodResult,
  RelayMessage,
} from "@agentos/protocol";

import type { RelayLink } from "./relay-link.ts";
import { type MessageWaitOptions, SentMessage } from "./sent-message.ts";
import { sendText } from "./send-text.ts";

export interface SendOptions {
  /** Who says it: `human:…`, or an agent's name. Default `human:orchestrator`. */
  readonly from?: string;
  /** Default: the replied message's, or a new one. */
  readonly threadId?: string;
  /** The message that it answers. */
  readonly replyTo?: string;
  /** 0 is urgent, 4 can wait. Default 2. */
  readonly priority?: number;
  /** Reaches the agent beside the text. */
  readonly data?: JsonObject;
  /** `steer`: into the running turn, where the agent can. Default: urgent ones steer. */
  readonly mode?: "wait" | "steer";
  /** The message's id; the same one again is the same message. */
  readonly id?: string;
}

export interface InboxOptions {
  /** Whose: an agent's name, or `human:…`. Default `human:orchestrator`. */
  readonly of?: string;
  /** A person's messages count as read with this. Default false. */
  readonly take?: boolean;
  /** Those that were read already, too. */
  readonly all?: boolean;
  readonly limit?: number;
}

export type HistoryOptions = Omit<MethodParams<"relay.history">, "text">;
export type RelayThread = MethodResult<"relay.threads">["threads"][number];

/** What a user's agents say to one another, and what is said to them. */
export class RelayMessages {
  readonly #link: RelayLink;

  constructor(link: RelayLink) {
    this.#link = link;
  }

  /** Sends to an agent, `#channel`, `team:…`, `human:…` or `*`; resolves once the message is stored. */
  async send(to: string, text: string, options: SendOptions = {}): Promise<SentMessage> {
    const { id = `msg_${randomUUID()}`, ...more } = options;
    return new SentMessage(
      this.#link,
      await sendText(this.#link, { messageId: id, to, ...more }, text),
    );
  }

  /** Sends, and waits for a reply. */
  async ask(
    to: string,
    text: string,
    { timeoutMs, signal, ...options }: SendOptions & MessageWaitOptions = {},
  ): Promise<RelayMessage> {
    const sent = await this.send(to, text, options);
    return await sent.reply(waiting(timeoutMs, signal));
  }

  /** Sends, and waits until every recipient is at that state. Default `consumed`. */
  async sendAndWait(
    to: string,
    text: string,
    {
      until = "consumed",
      timeoutMs,
      signal,
      ...options
    }: SendOptions & MessageWaitOptions & { until?: DeliveryState } = {},
  ): Promise<SentMessage> {
    const sent = await this.send(to, text, options);
    await sent.until(until, waiting(timeoutMs, signal));
    return sent;
  }

  /** To every agent. */
  async broadcast(text: string, options: SendOptions = {}): Promise<SentMessage> {
    return await this.send("*", text, options);
  }

  /** A message by its id, its text whole, with what became of it. Rejects with `NOT_FOUND`. */
  async message(messageId: string): Promise<MethodResult<"relay.message">> {
    const found = await this.#link.request("relay.message", { messageId });
    let { text } = found.message;
    while (text.length < found.length) {
      const next = await this.#link.request("relay.message", { messageId, offset: text.length });
      text += next.message.text;
    }
    return { ...found, message: { ...found.message, text } };
  }

  /** What waits for somebody, oldest first. */
  async inbox({ take = false, ...options }: InboxOptions = {}): Promise<InboxEntry[]> {
    const { entries } = await this.#link.request("relay.inbox", options);
    if (take && entries.length > 0) {
      const deliveryIds = entries.map(({ delivery }) => delivery.deliveryId);
      await this.#link.request("relay.read", { deliveryIds });
    }
    return entries;
  }

  /** Messages, newest first: of a channel, a thread or an agent. */
  async history(options: HistoryOptions = {}): Promise<RelayMessage[]> {
    return (await this.#link.request("relay.history", options)).messages;
  }

  /** Messages with that text in them, newest first. */
  async search(text: string, options: HistoryOptions = {}): Promise<RelayMessage[]> {
    return (await this.#link.request("relay.history", { ...options, text })).messages;
  }

  /** The threads, the one that was written to last first. */
  async threads(options: { limit?: number } = {}): Promise<RelayThread[]> {
    return (await this.#link.request("relay.threads", options)).threads;
  }

  /** Messages that nobody got, newest first. */
  async deadLetters(options: { limit?: number } = {}): Promise<InboxEntry[]> {
    return (await this.#link.request("relay.deadLetters", options)).entries;
  }

  /** Sends a dead letter again: to the agent of that name that lives now, or to another. */
  async redeliver(
    deliveryId: string,
    options: { to?: string } = {},
  ): Promise<{ deliveryId: string; recipient: string }> {
    return await this.#link.request("relay.redeliver", { deliveryId, ...options });
  }
}

function waiting(timeoutMs?: number, signal?: AbortSignal): MessageWaitOptions {
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
  };
}
