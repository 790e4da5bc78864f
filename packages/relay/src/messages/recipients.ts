import { AgentOsError, type RelayMessage } from "@agentos/protocol";

import type { Agent } from "../agents/agent.ts";
import type { Roster } from "../agents/roster.ts";
import type { UserParts } from "../relay-parts.ts";
import { parseAddress, personOf } from "./address.ts";
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
}

export function full(
  agent: string,
  { limit, capacity, waiting }: NoRoom,
): AgentOsError<"MAILBOX_FULL"> {
  const message = `the mailbox of ${agent} is full: ${waiting} of ${capacity} (${limit})`;
  return new AgentOsError("MAILBOX_FULL", message, { agent, limit, capacity, waiting });
}
