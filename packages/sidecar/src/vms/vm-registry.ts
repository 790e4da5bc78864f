import { createHash } from "node:crypto";

import { AgentOsError } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { OWNER_USER } from "../keys/api-keys.ts";
import type { EndedVm } from "../store/ended-vm.ts";
import { type Vm, vmEnded } from "./vm.ts";

/** The driver's id of a user's VM: unique, though users choose their ids without knowing of each other. */
export function vmKeyOf(user: string, vmId: string): string {
  if (user === OWNER_USER) return vmId;
  return `u_${createHash("sha256").update(`${user}\0${vmId}`).digest("base64url")}`;
}

/** What is remembered of ended VMs beyond this life: each method as `Store` has it. */
interface EndedVms {
  endedVm(key: string): EndedVm | undefined;
  endedVmNamed(user: string, name: string): EndedVm | undefined;
}

/** The VMs of a sidecar, and which have ended. One user's are unknown to another. */
export class VmRegistry {
  readonly #past: EndedVms;
  readonly #vms = new Map<string, Vm>();
  /** Of this life, known also where they could not be written down. */
  readonly #ended = new Map<string, EndedVm>();

  constructor(past: EndedVms) {
    this.#past = past;
  }

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

  /** The user's VM by name or id. */
  find(user: string, nameOrId: string): Vm | undefined {
    const vm = this.byName(user, nameOrId) ?? this.#vms.get(vmKeyOf(user, nameOrId));
    return vm?.facts.user === user ? vm : undefined;
  }

  /** The user's VM. Throws `NOT_FOUND`, or `VM_ENDED` where it is gone. */
  get(user: string, vmId: string): Vm {
    const vm = this.#vms.get(vmKeyOf(user, vmId));
    if (vm !== undefined && vm.facts.user === user) return vm;
    this.assertNotEnded(user, vmId);
    throw unknownVm(vmId);
  }

  /** Throws `VM_ENDED` where a VM of that id has been. */
  assertNotEnded(user: string, vmId: string): void {
    const ended = this.#endedByKey(vmKeyOf(user, vmId));
    if (ended !== undefined) throw vmEnded(vmId, ended);
  }

  /** A VM that has ended, by id or by the name that it had. Throws `NOT_FOUND`. */
  past(user: string, nameOrId: string): EndedVm {
    const ended = this.#endedByKey(vmKeyOf(user, nameOrId)) ?? this.#endedByName(user, nameOrId);
    if (ended !== undefined) return ended;
    throw unknownVm(nameOrId);
  }

  add(vm: Vm): void {
    this.#vms.set(vm.facts.key, vm);
  }

  /** It never ran. */
  remove(vm: Vm): void {
    this.#vms.delete(vm.facts.key);
  }

  /** It ran and is gone. */
  bury(ended: EndedVm): void {
    this.#vms.delete(ended.key);
    this.#ended.set(ended.key, ended);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > BOUNDS.endedVms && oldest !== undefined) this.#ended.delete(oldest);
  }

  #endedByKey(key: string): EndedVm | undefined {
    return this.#ended.get(key) ?? this.#past.endedVm(key);
  }

  #endedByName(user: string, name: string): EndedVm | undefined {
    const last = [...this.#ended.values()].findLast((vm) => vm.user === user && vm.name === name);
    return last ?? this.#past.endedVmNamed(user, name);
  }
}

function unknownVm(id: string): AgentOsError<"NOT_FOUND"> {
  return new AgentOsError("NOT_FOUND", `no VM ${id}`, { kind: "vm", id });
}
