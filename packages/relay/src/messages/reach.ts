import type { RelayStore } from "@agentos/core";
import { AgentOsError, channelOf, foldName } from "@agentos/protocol";

import type { Agent } from "../agents/agent.ts";
import type { Roster } from "../agents/roster.ts";
import { type Address, parseAddress } from "./address.ts";

/** Whom an agent may write to, and whom it may end. */
export class Reach {
  readonly #roster: Roster;
  readonly #store: RelayStore;

  constructor(roster: Roster, store: RelayStore) {
    this.#roster = roster;
    this.#store = store;
  }

  /** Whether the agent may write to that one. */
  mayWrite(sender: Agent, target: Agent): boolean {
    const { sendTo } = sender.stored.spec;
    if (sendTo !== undefined) return sendTo.some((text) => isMatch(parseAddress(text), target));
    return (
      sender.stored.vmId === target.stored.vmId ||
      isRelated(sender, target) ||
      sharesChannel(sender, target) ||
      this.#store.hasWritten(target.name, sender.name)
    );
  }

  /** Whether the agent may write into that channel: its members may, and whoever has it in `sendTo`. */
  mayWriteInto(sender: Agent, channel: string): boolean {
    const { sendTo } = sender.stored.spec;
    if (sendTo === undefined) return isMember(sender, channel);
    return sendTo.some((text) => {
      const address = parseAddress(text);
      return address.kind === "everybody" || isChannel(address, channel);
    });
  }

  /** Whether the agent may end that one: those above it may. */
  mayRelease(sender: Agent, target: Agent): boolean {
    return this.ownerChain(target).some((name) => isSame(name, sender.name));
  }

  /** Those above an agent, its parent first. */
  ownerChain(agent: Agent): string[] {
    const chain: string[] = [];
    for (let parent = agent.stored.spec.parent; parent !== undefined;) {
      if (chain.some((name) => isSame(name, parent ?? ""))) break;
      chain.push(parent);
      parent = this.#roster.find(parent)?.stored.spec.parent;
    }
    return chain;
  }

  denied(sender: Agent, target: string, ownerChain: string[]): AgentOsError<"ACL_DENIED"> {
    const message = `${sender.name} may not act on ${target}`;
    return new AgentOsError("ACL_DENIED", message, { sender: sender.name, target, ownerChain });
  }
}

export function isMember(agent: Agent, channel: string): boolean {
  return agent.stored.channels.some((name) => isSame(name, channelOf(channel)));
}

export function isSame(a: string, b: string): boolean {
  return foldName(a) === foldName(b);
}

function isChannel(address: Address, channel: string): boolean {
  return address.kind === "channel" && isSame(address.name, channel);
}

function isMatch(address: Address, target: Agent): boolean {
  if (address.kind === "everybody") return true;
  if (address.kind === "agent") return isSame(address.name, target.name);
  if (address.kind === "channel") return isMember(target, address.name);
  return address.kind === "team" && isSame(address.name, target.stored.spec.team ?? "");
}

function isRelated(a: Agent, b: Agent): boolean {
  const isBelow = (child: Agent, parent: Agent): boolean =>
    isSame(child.stored.spec.parent ?? "", parent.name);
  const { team } = a.stored.spec;
  const isTeam = team !== undefined && isSame(team, b.stored.spec.team ?? "");
  return isTeam || isBelow(a, b) || isBelow(b, a);
}

function sharesChannel(a: Agent, b: Agent): boolean {
  return a.stored.channels.some((channel) => isMember(b, channel));
}
