import { randomBytes } from "node:crypto";

import type { BrokerAgents } from "./broker-agents.ts";
import { type HeldEvents, nameKey } from "./held-events.ts";
import type { PendingMessages } from "./pending-messages.ts";
import type { GateMessage, RelayGate } from "./relay-gate.ts";
import { V1Error } from "./v1-error.ts";
import type { V1Payload, V1Result } from "./v1-requests.ts";

const ORCHESTRATOR = "human:orchestrator";

export interface BrokerMessagesOptions {
  readonly gate: RelayGate;
  readonly pending: PendingMessages | undefined;
  readonly agents: BrokerAgents;
  readonly held: HeldEvents;
  readonly warn: (text: string) => void;
}

/** What is sent through the broker: by whom, to whom, and once more after a kill. */
export class BrokerMessages {
  readonly #options: BrokerMessagesOptions;

  constructor(options: BrokerMessagesOptions) {
    this.#options = options;
  }

  /** Accepts a message; what it brings about is told after the answer. */
  async send(
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
  async resend(name: string): Promise<void> {
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

  /** An agent's own spelling; what is no agent's name goes to the relay as it is. */
  async #address(to: string): Promise<string> {
    if (to === "*" || to.startsWith("#") || /^(team|human):/i.test(to)) return to;
    // One that is starting gets it once it is there.
    const { agents } = this.#options;
    await agents.get(to).started.promise;
    return agents.get(to).name;
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
