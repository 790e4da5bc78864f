import { createHash } from "node:crypto";

import type { VmHandle } from "@agentos/core";
import { AgentOsError, type NetworkPolicy } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { errorFacts, type Log } from "../log.ts";
import type { Vm } from "../vms/vm.ts";
import { PrivateMember } from "./private-member.ts";

/** Of 127.64.0.0/10, where no program looks for anything. */
const ADDRESS_BITS = 22;
const FIRST_ADDRESS = (127 << 24) | (64 << 16);

/** VMs that reach one another by name, as long as each one's policy says so. */
export class PrivateNetworks {
  readonly #log: Log;
  /** By user and name; none is empty. */
  readonly #networks = new Map<string, Map<Vm, PrivateMember>>();
  readonly #members = new Map<Vm, PrivateMember>();
  /** One change after the other: each looks at all members. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(log: Log) {
    this.#log = log;
  }

  /** The VM is on the network that its policy names, with the ports that it offers, and on no other. Rejects with `POOL_EXHAUSTED`. */
  async apply(vm: Vm, handle: VmHandle, policy: NetworkPolicy): Promise<void> {
    if (policy.private === undefined && !this.#members.has(vm)) return;
    const change = this.#changing.then(() => this.#apply(vm, handle, policy));
    this.#changing = change.catch(() => undefined);
    await change;
  }

  /** The VM is gone. */
  leave(vm: Vm): void {
    if (!this.#members.has(vm)) return;
    this.#changing = this.#changing
      .then(() => this.#leave(vm))
      .catch((error: unknown) => {
        this.#log.warn({ vmId: vm.id, ...errorFacts(error) }, "a private network was not told");
      });
  }

  async #apply(vm: Vm, handle: VmHandle, policy: NetworkPolicy): Promise<void> {
    const wanted = policy.private;
    const before = this.#members.get(vm);
    const key = wanted && `${vm.facts.user}\0${wanted.network}`;
    if (before !== undefined && before.key !== key) await this.#leave(vm);
    if (wanted === undefined || key === undefined) return;
    const network = this.#networks.get(key) ?? new Map<Vm, PrivateMember>();
    const member = network.get(vm) ?? this.#member(vm, handle, key, network);
    member.offers(wanted.ports ?? []);
    this.#networks.set(key, network.set(vm, member));
    this.#members.set(vm, member);
    await update(network);
  }

  async #leave(vm: Vm): Promise<void> {
    const member = this.#members.get(vm);
    if (member === undefined) return;
    this.#members.delete(vm);
    const network = this.#networks.get(member.key);
    network?.delete(vm);
    if (network?.size === 0) this.#networks.delete(member.key);
    await member.leave();
    if (network !== undefined) await update(network);
  }

  #member(
    vm: Vm,
    handle: VmHandle,
    key: string,
    network: ReadonlyMap<Vm, PrivateMember>,
  ): PrivateMember {
    const capacity = BOUNDS.privateMembers;
    if (network.size >= capacity) {
      const details = { limit: "VMs on a private network", capacity, waiting: 0 };
      const message = `the private network has ${capacity} VMs, and no more may be on it`;
      throw new AgentOsError("POOL_EXHAUSTED", message, details);
    }
    const taken = new Set([...network.values()].map(({ address }) => address));
    const address = addressOf(vm.facts.key, taken);
    return new PrivateMember({ vm, handle, key, address, log: this.#log });
  }
}

async function update(network: ReadonlyMap<Vm, PrivateMember>): Promise<void> {
  const members = [...network.values()];
  await Promise.all(members.map((member) => member.meet(members)));
}

/** The same one in every life of the sidecar, but for what the odds allow. */
function addressOf(vmKey: string, taken: ReadonlySet<string>): string {
  const most = 2 ** ADDRESS_BITS;
  const first = createHash("sha256").update(vmKey).digest().readUInt32BE(0) % most;
  for (let at = 0; ; at++) {
    const number = FIRST_ADDRESS + ((first + at) % most);
    const address = [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
    if (!taken.has(address)) return address;
  }
}
