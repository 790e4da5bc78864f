import type { Clock, SessionVms } from "@agentos/core";
import {
  AgentOsError,
  type EventData,
  type EventName,
  type Lease,
  type LeasedVm,
  type LimitChanges,
  type MethodResult,
  type ParsedParams,
  type VmInfo,
  type VmScope,
} from "@agentos/protocol";

import { changeNetwork } from "../egress/change-network.ts";
import type { Access, Holder } from "./holder.ts";
import { type HeldLease, type LeaseEnd, LeaseTable } from "../leases/lease-table.ts";
import { errorFacts, type Log } from "../log.ts";
import type { Capacity } from "../options.ts";
import type { ImageHost } from "../images/image-host.ts";
import type { SnapshotHost } from "../snapshots/snapshot-host.ts";
import type { Restored, Store } from "../store/store.ts";
import { Admission } from "./admission.ts";
import type { DriverSet } from "./driver-set.ts";
import { makeFileHosts } from "./file-hosts.ts";
import { Parking } from "./parking.ts";
import type { Vm, VmEnd } from "./vm.ts";
import { VmCreation } from "./vm-creation.ts";
import { VmHolds } from "./vm-holds.ts";
import { VmLimits } from "./vm-limits.ts";
import { definedOf } from "./vm-request.ts";
import { VmRecovery } from "./vm-recovery.ts";
import { VmRegistry } from "./vm-registry.ts";

export interface VmHostOptions {
  sidecarId: string;
  epoch: number;
  drivers: DriverSet;
  capacity: Capacity;
  leaseGraceMs: number;
  clock: Clock;
  log: Log;
  store: Store;
  /** VMs came or went. */
  onChange: () => void;
  /** Somebody has a lease on it, or has it back. */
  onHeld?: ((held: { user: string; vmId: string; fence: number }) => void) | undefined;
  /** One of an earlier life was taken over, whoever holds it. */
  onAdopted?: ((adopted: { user: string; vmId: string }) => void) | undefined;
}

/** The VMs of one sidecar and who holds them. */
export class VmHost {
  readonly #options: VmHostOptions;
  readonly #registry: VmRegistry;
  readonly #admission: Admission;
  readonly #leases: LeaseTable;
  readonly #holders = new Map<string, Holder>();
  readonly #parking: Parking;
  readonly #holds: VmHolds;
  /** What stops when a VM is gone: timers, and listening to its limits. */
  readonly #stops = new Map<Vm, (() => void)[]>();
  readonly #recovery: VmRecovery;
  readonly #creation: VmCreation;
  readonly #limits: VmLimits;
  readonly snapshots: SnapshotHost;
  readonly images: ImageHost;
  #state: "open" | "closing" = "open";

  constructor(options: VmHostOptions) {
    this.#options = options;
    this.#admission = new Admission(options.capacity);
    const { clock, store, log } = options;
    this.#registry = new VmRegistry(store);
    this.#parking = new Parking({ clock, store, log });
    this.#holds = new VmHolds({
      registry: this.#registry,
      held: (vm) => this.#thaw(vm),
      unheld: (vm) => this.#unheld(vm, "released"),
    });
    this.#leases = new LeaseTable({
      clock,
      store,
      graceMs: options.leaseGraceMs,
      onEnded: (lease, why) => this.#leaseEnded(lease, why),
      onFault: (error) => log.error(errorFacts(error), "a lease's change was not written"),
    });
    this.#limits = new VmLimits({
      clock,
      log,
      hit: (vm, hit) => this.emit(vm, "vm.limit", { vmId: vm.id, ...hit }),
      timeOver: (vm, wallMs) =>
        void this.#end(vm, { reason: "expired", detail: `its wallMs of ${wallMs} is over` }),
    });
    const { snapshots, images } = makeFileHosts(options, this.#registry);
    this.snapshots = snapshots;
    this.images = images;
    this.#creation = new VmCreation({
      ...options,
      snapshots: this.snapshots,
      images: this.images,
      registry: this.#registry,
      admission: this.#admission,
      started: (vm, startedMs) => this.#started(vm, startedMs),
      end: (vm, end) => this.#end(vm, end),
    });
    this.#recovery = this.#makeRecovery();
  }

  /** Starting and ending ones included. */
  get vmCount(): number {
    return this.#registry.size;
  }

  /** Whether a VM starts or runs. One that ends, or is stuck at it, keeps no sidecar alive. */
  get isBusy(): boolean {
    return this.#registry.all().some(({ state }) => state === "starting" || state === "running");
  }

  /** The VMs, for turns to hold. */
  get holds(): SessionVms {
    return this.#holds;
  }

  /** What a user may know of how many there are. */
  countsOf(user: string): { vms: number; leases: number } {
    const vms = this.#registry.of(user);
    const leases = vms.reduce((sum, vm) => sum + this.#leases.of(vm.facts.key).length, 0);
    return { vms: vms.length, leases };
  }

  /** Takes over what an earlier life left. Whoever asks for one of those VMs waits until that is decided. */
  restore(restored: Restored): void {
    this.#recovery.start(restored);
    void this.#restoreSnapshots();
    this.#options.onChange();
  }

  join(holder: Holder): void {
    this.#holders.set(holder.id, holder);
  }

  /** The connection is lost: its leases' grace begins. */
  leave(holder: Holder): void {
    this.#holders.delete(holder.id);
    this.#leases.connectionLost(holder.id);
  }

  /** Makes a VM and leases it. The same id again is the same VM. */
  async create(
    holder: Holder,
    params: ParsedParams<"vm.create">,
    signal: AbortSignal,
  ): Promise<LeasedVm> {
    this.#assertOpen();
    const { leaseId, ...spec } = params;
    const vm = this.#creation.vm(holder, spec);
    await vm.ready(signal);
    try {
      return await this.#lease(vm, leaseId, holder);
    } catch (error) {
      this.#endUnheld(vm, "released");
      throw error;
    }
  }

  /** Another lease: shared, or a takeover that fences the others off. */
  async attach(
    holder: Holder,
    params: ParsedParams<"vm.attach">,
    signal: AbortSignal,
  ): Promise<LeasedVm> {
    this.#assertOpen();
    const vm =
      this.#registry.find(holder.user, params.vm) ?? this.#registry.get(holder.user, params.vm);
    await vm.ready(signal);
    const isRepeated = this.#leases.find(vm.facts.key, params.leaseId) !== undefined;
    const isTakeover = params.mode === "takeover" && !isRepeated;
    return await this.#lease(vm, params.leaseId, holder, isTakeover);
  }

  async list(user: string): Promise<VmInfo[]> {
    return (await this.running(user)).map((vm) => this.#info(vm));
  }

  /** The user's VMs that run. */
  async running(user: string): Promise<Vm[]> {
    await this.#recovery.done;
    return this.#registry.of(user).filter((vm) => vm.state === "running");
  }

  /** The one way to a VM: the caller's user, its fence and its lease are checked, and nothing may be awaited before the effect. */
  access(holder: Holder, scope: VmScope): Access {
    const vm = this.#registry.get(holder.user, scope.vmId);
    const handle = vm.access(scope.fence);
    const lease = this.#leases.heldBy(holder.id, vm.facts.key);
    if (lease !== undefined) return { vm, handle, lease };
    throw new AgentOsError("NOT_FOUND", `this connection holds no lease on VM ${scope.vmId}`, {
      kind: "lease",
      id: scope.vmId,
    });
  }

  info(holder: Holder, scope: VmScope): VmInfo {
    return this.#info(this.access(holder, scope).vm);
  }

  /** Changes limits of a live VM, for its next life of a sidecar too. Rejects with `UNSUPPORTED_LIMIT`, and nothing is changed. */
  async setLimits(holder: Holder, scope: VmScope, limits: LimitChanges): Promise<VmInfo> {
    const { vm, handle } = this.access(holder, scope);
    await handle.setLimits(definedOf(limits));
    this.#options.store.setSpec(vm.facts.key, vm.withLimits(limits));
    return this.#info(vm);
  }

  /** What the VM's programs may reach, from now on and in later lives of the sidecar. */
  async setNetwork(holder: Holder, params: ParsedParams<"vm.setNetwork">): Promise<VmInfo> {
    const { vm, handle } = this.access(holder, params);
    await changeNetwork(vm, handle, params.network, this.#options.store);
    return this.#info(vm);
  }

  /** Gives a lease back, and resolves once an unnamed VM that it was the last of is gone. */
  async release(holder: Holder, params: ParsedParams<"lease.release">): Promise<void> {
    const vm = this.#registry.get(holder.user, params.vmId);
    // Only one of an earlier life is leased and does not run yet.
    if (vm.state === "starting" && vm.facts.restored !== undefined) await vm.running;
    this.#leases.release(vm.facts.key, params.leaseId);
    if (vm.state === "ending") await vm.ended;
  }

  /** Holds a lease of a lost connection, or of an earlier life, on this one. */
  async resume(
    holder: Holder,
    params: ParsedParams<"lease.resume">,
    signal: AbortSignal,
  ): Promise<Lease> {
    const vm = this.#registry.get(holder.user, params.vmId);
    await vm.ready(signal);
    vm.access(params.fence);
    const previous = this.#leases.find(vm.facts.key, params.leaseId)?.holder;
    const request = { ...params, user: holder.user, vmKey: vm.facts.key, holder: holder.id };
    const lease = this.#leases.resume(request);
    this.#holdsNow(vm, holder, previous);
    await this.#parking.leave(vm);
    return this.#wire(lease, vm);
  }

  /** Ends a VM for good, whoever holds it; of one that has ended it says so. Rejects with `NOT_FOUND` and `FENCED`. */
  async end(
    holder: Holder,
    { vm: nameOrId, fence }: ParsedParams<"vm.end">,
    signal: AbortSignal,
  ): Promise<MethodResult<"vm.end">> {
    const vm = this.#registry.find(holder.user, nameOrId);
    if (vm === undefined) {
      const hadFiles = this.snapshots.removeDisk(holder.user, nameOrId);
      const { vmId } = this.#registry.past(holder.user, nameOrId);
      return { vmId, ended: hadFiles };
    }
    // One that is being taken over, or made, can be ended once it is there.
    if (vm.state === "starting") await vm.ready(signal);
    if (vm.state !== "running") {
      await vm.ended;
      return { vmId: vm.id, ended: false };
    }
    if (fence !== undefined) vm.access(fence);
    await vm.end({ reason: "ended" });
    if (vm.name !== undefined) this.snapshots.removeDisk(holder.user, vm.name);
    return { vmId: vm.id, ended: true };
  }

  /** Tells the connections that hold a lease on the VM. */
  emit<E extends EventName>(vm: Vm, event: E, data: EventData<E>): void {
    const ids = new Set(this.#leases.of(vm.facts.key).map((lease) => lease.holder));
    for (const id of ids) this.#holders.get(id)?.emit(event, data);
  }

  /** Ends every VM, and takes no more. Everyone who is connected is told. */
  async close(reason: string): Promise<void> {
    this.#state = "closing";
    for (const holder of this.#holders.values()) holder.emit("sidecar.closing", { reason });
    await Promise.all(this.#registry.all().map((vm) => this.#end(vm, { reason: "shutdown" })));
    await this.#recovery.done;
    await this.snapshots.close();
  }

  /** Only once every VM that is left has said what it stands on. */
  async #restoreSnapshots(): Promise<void> {
    await this.#recovery.done;
    try {
      await this.snapshots.restore();
    } catch (error) {
      this.#options.log.error(errorFacts(error), "snapshots of an earlier life could not be read");
    }
  }

  #makeRecovery(): VmRecovery {
    const { drivers, log } = this.#options;
    return new VmRecovery({
      drivers,
      log,
      registry: this.#registry,
      leases: this.#leases,
      parking: this.#parking,
      vmOf: (stored) => this.#creation.vmOf(stored),
      settle: (ended) => this.#admission.settle(ended),
      started: (vm, startedMs) => {
        this.#started(vm, startedMs);
        this.#options.onAdopted?.({ user: vm.facts.user, vmId: vm.id });
      },
      gone: (vm, end) => this.#gone(vm, end),
      unclaimed: (vm) => this.#afterGrace(vm),
      endUnheld: (vm) => this.#endUnheld(vm, "expired"),
    });
  }

  #assertOpen(): void {
    if (this.#state === "open") return;
    const { sidecarId } = this.#options;
    throw new AgentOsError(
      "SIDECAR_UNAVAILABLE",
      `sidecar ${sidecarId} is ending and takes no more VMs`,
      {
        sidecarId,
        state: "disposing",
      },
    );
  }

  /** The clients of an earlier life have had their time. */
  #afterGrace(vm: Vm): void {
    const { clock, leaseGraceMs } = this.#options;
    const cancel = clock.after(leaseGraceMs, () => {
      vm.processes.endUnclaimed();
      vm.attachments.endUnclaimed();
      this.#endUnheld(vm, "expired");
    });
    this.#stops.get(vm)?.push(cancel);
  }

  #started(vm: Vm, startedMs: number): void {
    this.#stops.set(vm, [this.#limits.watch(vm, startedMs)]);
    vm.egress.gate.decisions.listen((decision) =>
      this.emit(vm, "vm.network", { vmId: vm.id, ...decision }),
    );
    void vm.ended.then((end) => this.#gone(vm, end));
  }

  #gone(vm: Vm, end: VmEnd): void {
    const { key, user } = vm.facts;
    const { reason, detail } = end;
    const ended = { key, user, vmId: vm.id, name: vm.name, reason, detail };
    for (const stop of this.#stops.get(vm) ?? []) stop();
    this.#stops.delete(vm);
    this.#parking.forget(vm);
    try {
      this.#options.store.buryVm(ended);
    } catch (error) {
      // The next life finds a VM that is gone, and says so.
      this.#options.log.error({ vmId: vm.id, ...errorFacts(error) }, "a VM's end was not written");
    }
    this.#registry.bury(ended);
    this.emit(vm, "vm.ended", { vmId: vm.id, reason, ...(detail === undefined ? {} : { detail }) });
    const holders = this.#leases.of(key).map((lease) => lease.holder);
    this.#leases.dropVm(key);
    this.snapshots.sweepSoon();
    for (const holder of holders) this.#letGo(holder, key);
    this.#options.onChange();
  }

  async #end(vm: Vm, end: VmEnd): Promise<void> {
    const ending = vm.end(end);
    this.#options.onChange();
    try {
      await ending;
    } catch (error) {
      this.#options.log.error(
        { vmId: vm.id, ...errorFacts(error) },
        "a VM did not end as it should",
      );
    }
  }

  async #lease(vm: Vm, leaseId: string, holder: Holder, isTakeover = false): Promise<LeasedVm> {
    // Between ready and here it may have ended.
    vm.access(vm.fence);
    const { user, id } = holder;
    const { key } = vm.facts;
    const previous = this.#leases.find(key, leaseId)?.holder;
    const fence = isTakeover ? vm.fence + 1 : vm.fence;
    const request = { user, leaseId, vmKey: key, fence, holder: id };
    const lease = isTakeover
      ? this.#leases.takeOver(request, () => this.#raiseFence(vm, fence))
      : this.#leases.acquire(request);
    this.#holdsNow(vm, holder, previous);
    try {
      await this.#parking.leave(vm);
    } catch (error) {
      this.#leases.release(key, leaseId);
      throw error;
    }
    return { lease: this.#wire(lease, vm), vm: this.#info(vm) };
  }

  #holdsNow(vm: Vm, holder: Holder, previous: string | undefined): void {
    if (previous !== undefined) this.#letGo(previous, vm.facts.key);
    // The connection was lost while the VM was made: its grace begins now.
    if (holder.isClosed) this.#leases.connectionLost(holder.id);
    const { user } = vm.facts;
    this.#options.onHeld?.({ user, vmId: vm.id, fence: vm.fence });
  }

  #raiseFence(vm: Vm, fence: number): void {
    vm.raiseFence(fence);
    this.#holds.fenced(vm);
  }

  /** A turn begins in it. A failure is in the log. */
  #thaw(vm: Vm): void {
    this.#parking.leave(vm).catch(() => undefined);
  }

  #leaseEnded(lease: HeldLease, why: LeaseEnd): void {
    const vm = this.#registry.byKey(lease.vmKey);
    if (vm === undefined) return;
    const successor = this.#leases.heldBy(lease.holder, lease.vmKey);
    vm.processes.leaseEnded(lease.leaseId, successor?.leaseId);
    vm.attachments.leaseEnded(lease.leaseId, successor?.leaseId);
    if (why === "fenced") {
      const fenced = { vmId: vm.id, leaseId: lease.leaseId, currentFence: vm.fence };
      this.#holders.get(lease.holder)?.emit("lease.fenced", fenced);
    }
    this.#letGo(lease.holder, lease.vmKey);
    if (why !== "fenced") this.#unheld(vm, why);
  }

  /** A lease is over: with the last one an unnamed VM ends, and a named one is parked. */
  #unheld(vm: Vm, why: "released" | "expired"): void {
    if (this.#isHeld(vm)) return;
    if (vm.name === undefined) this.#endUnheld(vm, why);
    else if (vm.state === "running" || vm.state === "starting") this.#parking.park(vm);
  }

  /** Not before it is adopted: only then it can be ended. */
  #endUnheld(vm: Vm, why: "released" | "expired"): void {
    if (!this.#isHeld(vm) && vm.name === undefined && vm.state === "running")
      void this.#end(vm, { reason: why });
  }

  #isHeld(vm: Vm): boolean {
    return this.#leases.of(vm.facts.key).length > 0 || this.#holds.isHeld(vm);
  }

  #letGo(holderId: string, vmKey: string): void {
    if (this.#leases.heldBy(holderId, vmKey) === undefined)
      this.#holders.get(holderId)?.letGo(vmKey);
  }

  #info(vm: Vm): VmInfo {
    return vm.info(this.#leases.of(vm.facts.key).length);
  }

  #wire(lease: HeldLease, vm: Vm): MethodResult<"lease.resume"> {
    return { leaseId: lease.leaseId, vmId: vm.id, fence: lease.fence, ttlMs: this.#leases.graceMs };
  }
}
