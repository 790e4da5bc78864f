import { createHash } from "node:crypto";

import { AgentOsError } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { OWNER_USER } from "../keys/api-keys.ts";
import { type Vm, type VmEnd, vmEnded } from "./vm.ts";

/** The driver's id of a user's VM: unique, though users choose their ids without knowing of each other. */
export function vmKeyOf(user: string, vmId: string): string {
  if (user === OWNER_USER) return vmId;
  return `u_${createHash("sha256").update(`${user}\0${vmId}`).digest("base64url")}`;
}

/** The VMs of a sidecar, and which of late have ended. One user's are unknown to another. */
export class VmRegistry {
  readonly #vms = new Map<string, Vm>();
  readonly #ended = new Map<string, VmEnd>();

  get size(): number {
    return this.#vms.size;
  }

  all(): Vm[] {
    return [...this.#vms.values()];
  }

  of(user: string): Vm[] {
    return this.all().filter((vm) => vm.facts.user === user);
  }

  byKey(key: string): Vm | undefined {
    return this.#vms.get(key);
  }

  byName(user: string, name: string): Vm | undefined {
    return this.all().find((vm) => vm.facts.user === user && vm.name === name);
  }

  /** The user's VM. Throws `NOT_FOUND`, or `VM_ENDED` where it is gone. */
  get(user: string, vmId: string): Vm {
    const key = vmKeyOf(user, vmId);
    const vm = this.#vms.get(key);
    if (vm !== undefined && vm.facts.user === user) return vm;
    this.assertNotEnded(user, vmId);
    throw new AgentOsError("NOT_FOUND", `no VM ${vmId}`, { kind: "vm", id: vmId });
  }

  /** Throws `VM_ENDED` where a VM of that id has been. */
  assertNotEnded(user: string, vmId: string): void {
    const end = this.#ended.get(vmKeyOf(user, vmId));
    if (end !== undefined) throw vmEnded(vmId, end);
  }

  add(vm: Vm): void {
    this.#vms.set(vm.facts.key, vm);
  }

  /** It never ran. */
  remove(vm: Vm): void {
    this.#vms.delete(vm.facts.key);
  }

  /** It ran and is gone. */
  bury(vm: Vm, end: VmEnd): void {
    this.#vms.delete(vm.facts.key);
    this.#ended.set(vm.facts.key, end);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > BOUNDS.endedVms && oldest !== undefined) this.#ended.delete(oldest);
  }
}
