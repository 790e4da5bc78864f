import { AgentOsError, type MethodResult } from "@agentos/protocol";

import type { Roster } from "../agents/roster.ts";
import type { UserParts } from "../relay-parts.ts";
import { toldOf } from "./live-delivery.ts";
import { newDelivery } from "./posting.ts";
import { full } from "./recipients.ts";

/** Messages that nobody got, and their second chance. */
export class DeadLetters {
  readonly #parts: UserParts;
  readonly #roster: Roster;

  constructor(parts: UserParts, roster: Roster) {
    this.#parts = parts;
    this.#roster = roster;
  }

  /** Sends a dead letter again: to the agent of that name that lives now, or to another. Throws `NOT_FOUND`, `INVALID_ARGUMENT` or `MAILBOX_FULL`. */
  redeliver(deliveryId: string, to: string | undefined): MethodResult<"relay.redeliver"> {
    const [parts, roster] = [this.#parts, this.#roster];
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
    agent.mailbox.hold(next);
    agent.take(next, message);
    return { deliveryId: next.deliveryId, recipient: agent.name };
  }
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
