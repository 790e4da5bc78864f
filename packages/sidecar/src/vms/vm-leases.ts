import type { Clock } from "@agentos/core";
import {
  AgentOsError,
  type EventData,
  type EventName,
  type LeasedVm,
  type MethodResult,
  type ParsedParams,
  type VmInfo,
} from "@agentos/protocol";

import { type HeldLease, type LeaseEnd, LeaseTable } from "../leases/lease-table.ts";
import { errorFacts, type Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import type { Access, Holder } from "./holder.ts";
import type { Parking } from "./parking.ts";
import type { Vm } from "./vm.ts";
import { VmHolds } from "./vm-holds.ts";
import type { VmRegistry } from "./vm-registry.ts";

export interface VmLeasesOptions {
  clock: Clock;
  log: Log;
  store: Store;
  graceMs: number;
  registry: VmRegistry;
  parking: Parking;
  /** The snapshot that it began with. */
  beginningOf: (vm: Vm) => string | undefined;
  /** Somebody has a lease on it, or has it back. */
  onHeld?: ((held: { user: string; vmId: string; fence: number }) => void) | undefined;
  /** Nobody holds a VM that has no name. */
  onUnheld: (vm: Vm, why: "released" | "expired") => void;
}

/** Who holds which VM: connections by their leases, turns by their holds. With the last one an unnamed VM ends, and a named one is parked. */
export class VmLeases {
  readonly table: LeaseTable;
  readonly holds: VmHolds;
  readonly #options: VmLeasesOptions;
  readonly #holders = new Map<string, Holder>();

  constructor(options: VmLeasesOptions) {
    this.#options = options;
    const { clock, store, graceMs, registry, log } = options;
    this.holds = new VmHolds({
      registry,
      held: (vm) => this.#thaw(vm),
      unheld: (vm) => this.#unheld(vm, "released"),
    });
    this.table = new LeaseTable({
      clock,
      store,
      graceMs,
      onEnded: (lease, why) => this.#ended(lease, why),
      onFault: (error) => log.error(errorFacts(error), "a lease's change was not written"),
    });
  }

  join(holder: Holder): void {
    this.#holders.set(holder.id, holder);
  }

  /** The connection is lost: its leases' grace begins. */
  leave(holder: Holder): void {
    this.#holders.delete(holder.id);
    this.table.connectionLost(holder.id);
  }

  countOf(vm: Vm): number {
    return this.table.of(vm.facts.key).length;
  }

  info(vm: Vm): VmInfo {
    return vm.info(this.countOf(vm), this.#options.beginningOf(vm));
  }

  /** What the connection may do to the VM right now. Throws `FENCED`, and `NOT_FOUND` where it holds no lease. */
  access(vm: Vm, holder: Holder, fence: number): Access {
    const handle = vm.access(fence);
    const lease = this.table.heldBy(holder.id, vm.facts.key);
    if (lease !== undefined) return { vm, handle, lease };
    throw new AgentOsError("NOT_FOUND", `this connection holds no lease on VM ${vm.id}`, {
      kind: "lease",
      id: vm.id,
    });
  }

  /** The same id again is the same lease. A takeover fences the others off. */
  async take(
    vm: Vm,
    holder: Holder,
    { leaseId, mode }: Pick<ParsedParams<"vm.attach">, "leaseId" | "mode">,
  ): Promise<LeasedVm> {
    // Between ready and here it may have ended.
    vm.access(vm.fence);
    const { user, id } = holder;
    const { key } = vm.facts;
    const known = this.table.find(key, leaseId);
    const isTakeover = mode === "takeover" && known === undefined;
    const fence = isTakeover ? vm.fence + 1 : vm.fence;
    const previous = known?.holder;
    const request = { user, leaseId, vmKey: key, fence, holder: id };
    const lease = isTakeover
      ? this.table.takeOver(request, () => this.#raiseFence(vm, fence))
      : this.table.acquire(request);
    this.#holdsNow(vm, holder, previous);
    try {
      await this.#options.parking.leave(vm);
    } catch (error) {
      this.table.release(key, leaseId);
      throw error;
    }
    return { lease: this.#wire(lease, vm), vm: this.info(vm) };
  }

  /** Holds a lease of a lost connection, or of an earlier life, on this one. */
  async resume(
    vm: Vm,
    holder: Holder,
    params: ParsedParams<"lease.resume">,
  ): Promise<MethodResult<"lease.resume">> {
    vm.access(params.fence);
    const previous = this.table.find(vm.facts.key, params.leaseId)?.holder;
    const request = { ...params, user: holder.user, vmKey: vm.facts.key, holder: holder.id };
    const lease = this.table.resume(request);
    this.#holdsNow(vm, holder, previous);
    await this.#options.parking.leave(vm);
    return this.#wire(lease, vm);
  }

  release(vm: Vm, leaseId: string): void {
    this.table.release(vm.facts.key, leaseId);
  }

  /** Tells the connections that hold a lease on the VM. */
  emit<E extends EventName>(vm: Vm, event: E, data: EventData<E>): void {
    const ids = new Set(this.table.of(vm.facts.key).map((lease) => lease.holder));
    for (const id of ids) this.#holders.get(id)?.emit(event, data);
  }

  /** Tells every connection. */
  emitToAll<E extends EventName>(event: E, data: EventData<E>): void {
    for (const holder of this.#holders.values()) holder.emit(event, data);
  }

  /** The VM is gone: nobody holds it. */
  drop({ facts: { key } }: Vm): void {
    const holders = this.table.of(key).map((lease) => lease.holder);
    this.table.dropVm(key);
    for (const holder of holders) this.#letGo(holder, key);
  }

  /** Ends an unnamed VM that nobody holds: not before it is adopted, as only then it can be ended. */
  endUnheld(vm: Vm, why: "released" | "expired"): void {
    if (!this.#isHeld(vm) && vm.name === undefined && vm.state === "running")
      this.#options.onUnheld(vm, why);
  }

  #holdsNow(vm: Vm, holder: Holder, previous: string | undefined): void {
    if (previous !== undefined) this.#letGo(previous, vm.facts.key);
    // The connection was lost while the VM was made: its grace begins now.
    if (holder.isClosed) this.table.connectionLost(holder.id);
    const { user } = vm.facts;
    this.#options.onHeld?.({ user, vmId: vm.id, fence: vm.fence });
  }

  #raiseFence(vm: Vm, fence: number): void {
    vm.raiseFence(fence);
    this.holds.fenced(vm);
  }

  /** A turn begins in it. A failure is in the log. */
  #thaw(vm: Vm): void {
    this.#options.parking.leave(vm).catch(() => undefined);
  }

  #ended(lease: HeldLease, why: LeaseEnd): void {
    const vm = this.#options.registry.byKey(lease.vmKey);
    if (vm === undefined) return;
    const successor = this.table.heldBy(lease.holder, lease.vmKey);
    vm.processes.leaseEnded(lease.leaseId, successor?.leaseId);
    vm.attachments.leaseEnded(lease.leaseId, successor?.leaseId);
    if (why === "fenced") {
      const fenced = { vmId: vm.id, leaseId: lease.leaseId, currentFence: vm.fence };
      this.#holders.get(lease.holder)?.emit("lease.fenced", fenced);
    }
    this.#letGo(lease.holder, lease.vmKey);
    if (why !== "fenced") this.#unheld(vm, why);
  }

  #unheld(vm: Vm, why: "released" | "expired"): void {
    if (this.#isHeld(vm)) return;
    if (vm.name === undefined) this.endUnheld(vm, why);
    else if (vm.state === "running" || vm.state === "starting") this.#options.parking.park(vm);
  }

  #isHeld(vm: Vm): boolean {
    return this.countOf(vm) > 0 || this.holds.isHeld(vm);
  }

  #letGo(holderId: string, vmKey: string): void {
    if (this.table.heldBy(holderId, vmKey) === undefined) this.#holders.get(holderId)?.letGo(vmKey);
  }

  #wire(lease: HeldLease, vm: Vm): MethodResult<"lease.resume"> {
    return { leaseId: lease.leaseId, vmId: vm.id, fence: lease.fence, ttlMs: this.table.graceMs };
  }
}
