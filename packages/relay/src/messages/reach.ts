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
    if (sendTo !== undefined)
      return sendTo.some((text) => isMatch(sender, parseAddress(text), target));
    return (
      sender.stored.vmId === target.stored.vmId ||
      isRelated(sender, target) ||
      sharesChannel(sender, target) ||
      this.#store.hasWritten(target.name, sender.name)
    );
  }

  /** Whether the agent may write into that channel: its members may, and whoever has it in `sendTo`. */
  mayWriteInto(sender: Agent, channel: string): boolean {
    const { sendTo, workflow } = sender.stored.spec;
    if (sendTo === undefined || workflow !== undefined) return isMember(sender, channel);
    return sendTo.some((text) => {
      const address = parseAddress(text);
      return address.kind === "everybody" || isChannel(address, channel);
    });
  }

  /** Those that the agent calls by that name: of its own run by their names there, else whoever has the name. */
  named(sender: Agent, name: string): Agent[] {
    const { workflow } = sender.stored.spec;
    const found = this.#roster.reachable.filter((agent) => isCalled(sender, name, agent));
    if (workflow === undefined || found.length > 0) return found;
    const other = this.#roster.find(name);
    return other === undefined ? [] : [other];
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

/** Whether the agent means the target when it says that name. */
function isCalled({ stored: { spec } }: Agent, name: string, target: Agent): boolean {
  const { workflow } = spec;
  if (workflow === undefined) return isSame(name, target.name);
  const other = target.stored.spec.workflow;
  return other?.run === workflow.run && isSame(name, other.agent);
}

function isMatch(sender: Agent, address: Address, target: Agent): boolean {
  if (address.kind === "everybody") return true;
  if (address.kind === "agent") return isCalled(sender, address.name, target);
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
