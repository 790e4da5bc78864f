import { AgentOsError, type RelayMessage } from "@agentos/protocol";

import type { Agent } from "../agents/agent.ts";
import type { Roster } from "../agents/roster.ts";
import type { UserParts } from "../relay-parts.ts";
import { parseAddress, personOf, unknownAgent } from "./address.ts";
import type { NoRoom } from "./mailbox.ts";
import { isMember, isSame, type Reach } from "./reach.ts";

/** Who says something: an agent by itself, or somebody else by name. */
export type Sender =
  | { readonly kind: "agent"; readonly agent: Agent }
  | { readonly kind: "outside"; readonly name: string };

/** One who gets a message. */
export interface Recipient {
  readonly name: string;
  /** Undefined: a person. */
  readonly agent: Agent | undefined;
  readonly noRoom: NoRoom | undefined;
}

export interface RecipientsOptions {
  readonly parts: UserParts;
  readonly roster: Roster;
  readonly reach: Reach;
}

/** Decides who gets a message. */
export class Recipients {
  readonly #options: RecipientsOptions;

  constructor(options: RecipientsOptions) {
    this.#options = options;
  }

  /** Of many, one whose mailbox is full does not keep it from the others. Throws `NOT_FOUND`, `ACL_DENIED` or `MAILBOX_FULL`. */
  of(message: RelayMessage, sender: Sender): Recipient[] {
    const bytes = Buffer.byteLength(message.text);
    const address = parseAddress(message.to);
    if (address.kind === "person") {
      const name = personOf(address.name);
      return [{ name, agent: undefined, noRoom: undefined }];
    }
    const agents =
      address.kind === "agent" ? this.#named(address.name, sender) : this.#members(address, sender);
    const found = agents.map((agent) => {
      return { name: agent.name, agent, noRoom: agent.mailbox.noRoom(bytes) };
    });
    const [first] = found;
    const isOne = address.kind === "agent" && found.length === 1;
    if (isOne && first?.noRoom !== undefined) throw full(first.name, first.noRoom);
    return found;
  }

  /** Tells a denial, and gives the error to throw. */
  denied(sender: Agent, target: string, ownerChain: string[]): AgentOsError {
    const { parts, reach } = this.#options;
    const told = { type: "acl_denied", agent: target, sender: sender.name, ownerChain } as const;
    parts.journal.write({}, [told]);
    return reach.denied(sender, target, ownerChain);
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
      const members = named.filter((agent) => isMember(agent, name));
      // In a workflow its pattern's edges hold, whatever the channel.
      if (sender.kind === "outside" || sender.agent.stored.spec.workflow === undefined)
        return members;
      return members.filter((agent) => reach.mayWrite(sender.agent, agent));
    }
    const wanted = named.filter(
      (agent) => kind === "everybody" || isSame(agent.stored.spec.team ?? "", name),
    );
    // To everybody means to everybody within reach.
    return sender.kind === "outside"
      ? wanted
      : wanted.filter((agent) => reach.mayWrite(sender.agent, agent));
  }

  /** Several where agents of a workflow have one name: one for each step that runs. */
  #named(name: string, sender: Sender): Agent[] {
    const { reach, roster } = this.#options;
    if (sender.kind === "outside") return [roster.get(name)];
    const found = reach.named(sender.agent, name);
    if (found.length === 0) throw unknownAgent(name);
    for (const target of found) {
      if (reach.mayWrite(sender.agent, target)) continue;
      throw this.denied(sender.agent, target.name, reach.ownerChain(target));
    }
    return found;
  }
}

export function full(
  agent: string,
  { limit, capacity, waiting }: NoRoom,
): AgentOsError<"MAILBOX_FULL"> {
  const message = `the mailbox of ${agent} is full: ${waiting} of ${capacity} (${limit})`;
  return new AgentOsError("MAILBOX_FULL", message, { agent, limit, capacity, waiting });
}
