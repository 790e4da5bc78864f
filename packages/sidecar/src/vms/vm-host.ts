import type { Clock, VmDriver, VmHandle } from "@agentos/core";
import {
  AgentOsError,
  DEFAULTS,
  type EventData,
  type EventName,
  type Lease,
  type LeasedVm,
  type MethodResult,
  type ParsedParams,
  type VmInfo,
  type VmScope,
  type VmSpec,
} from "@agentos/protocol";

import { type HeldLease, type LeaseEnd, LeaseTable } from "../leases/lease-table.ts";
import { errorFacts, type Log } from "../log.ts";
import type { Capacity } from "../options.ts";
import { Admission } from "./admission.ts";
import type { DriverSet } from "./driver-set.ts";
import { Vm, type VmEnd } from "./vm.ts";
import { VmRegistry, vmKeyOf } from "./vm-registry.ts";
import { startVm } from "./vm-start.ts";

/** A connection, as far as leases are concerned. */
export interface Holder {
  readonly id: string;
  readonly user: string;
  readonly isClosed: boolean;
  emit<E extends EventName>(event: E, data: EventData<E>): void;
  /** It holds nothing on that VM any more. */
  letGo(vmKey: string): void;
}

/** A VM that a holder may act on right now. */
export interface Access {
  vm: Vm;
  handle: VmHandle;
  lease: HeldLease;
}

export interface VmHostOptions {
  sidecarId: string;
  epoch: number;
  drivers: DriverSet;
  capacity: Capacity;
  leaseGraceMs: number;
  clock: Clock;
  log: Log;
  /** VMs came or went. */
  onChange: () => void;
}

/** The VMs of one sidecar and who holds them. */
export class VmHost {
  readonly #options: VmHostOptions;
  readonly #registry = new VmRegistry();
  readonly #admission: Admission;
  readonly #leases: LeaseTable;
  readonly #holders = new Map<string, Holder>();
  /** Timers of named VMs without a lease, and of wall limits. */
  readonly #timers = new Map<Vm, { cancelParked: () => void; cancelWall: () => void }>();
  #state: "open" | "closing" = "open";

  constructor(options: VmHostOptions) {
    this.#options = options;
    this.#admission = new Admission(options.capacity);
    this.#leases = new LeaseTable({
      clock: options.clock,
      graceMs: options.leaseGraceMs,
      onEnded: (lease, why) => this.#leaseEnded(lease, why),
    });
  }

  /** Starting and ending ones included. */
  get vmCount(): number {
    return this.#registry.size;
  }

  /** Whether a VM starts or runs. One that ends, or is stuck at it, keeps no sidecar alive. */
  get isBusy(): boolean {
    return this.#registry.all().some(({ state }) => state === "starting" || state === "running");
  }

  /** What a user may know of how many there are. */
  countsOf(user: string): { vms: number; leases: number } {
    const vms = this.#registry.of(user);
    const leases = vms.reduce((sum, vm) => sum + this.#leases.of(vm.facts.key).length, 0);
    return { vms: vms.length, leases };
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
    const vm = this.#known(holder.user, spec) ?? this.#begin(holder, spec);
    await vm.ready(signal);
    return this.#lease(vm, leaseId, holder);
  }

  /** Another lease: shared, or a takeover that fences the others off. */
  async attach(
    holder: Holder,
    params: ParsedParams<"vm.attach">,
    signal: AbortSignal,
  ): Promise<LeasedVm> {
    this.#assertOpen();
    const vm =
      this.#registry.byName(holder.user, params.vm) ?? this.#registry.get(holder.user, params.vm);
    await vm.ready(signal);
    const isRepeated = this.#leases.find(vm.facts.key, params.leaseId) !== undefined;
    if (params.mode === "shared" || isRepeated) return this.#lease(vm, params.leaseId, holder);
    const fence = vm.raiseFence();
    const leased = this.#lease(vm, params.leaseId, holder);
    this.#leases.fenceBelow(vm.facts.key, fence);
    return leased;
  }

  list(user: string): VmInfo[] {
    const running = this.#registry.of(user).filter((vm) => vm.state === "running");
    return running.map((vm) => this.#info(vm));
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

  /** Gives a lease back, and resolves once an unnamed VM that it was the last of is gone. */
  async release(holder: Holder, params: ParsedParams<"lease.release">): Promise<void> {
    const vm = this.#registry.get(holder.user, params.vmId);
    this.#leases.release(vm.facts.key, params.leaseId);
    if (vm.state === "ending") await vm.ended;
  }

  /** Holds a lease of a lost connection on this one. */
  resume(holder: Holder, params: ParsedParams<"lease.resume">): Lease {
    const vm = this.#registry.get(holder.user, params.vmId);
    vm.access(params.fence);
    const previous = this.#leases.find(vm.facts.key, params.leaseId)?.holder;
    const request = { ...params, user: holder.user, vmKey: vm.facts.key, holder: holder.id };
    const lease = this.#leases.resume(request);
    if (previous !== undefined) this.#letGo(previous, vm.facts.key);
    return this.#wire(lease, vm);
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

  /** The VM that this request made before. */
  #known(user: string, spec: VmSpec): Vm | undefined {
    const vm = this.#registry.byKey(vmKeyOf(user, spec.vmId));
    if (vm === undefined) {
      this.#registry.assertNotEnded(user, spec.vmId);
      return undefined;
    }
    const isSame = vm.facts.user === user && JSON.stringify(vm.facts.spec) === JSON.stringify(spec);
    if (isSame) return vm;
    throw new AgentOsError(
      "ALREADY_EXISTS",
      `there is a VM ${spec.vmId} already, with another specification`,
      {
        kind: "vm",
        id: spec.vmId,
      },
    );
  }

  #begin(holder: Holder, spec: VmSpec): Vm {
    const { name } = spec;
    if (name !== undefined && this.#registry.byName(holder.user, name) !== undefined) {
      throw new AgentOsError("ALREADY_EXISTS", `there is a VM named ${name} already`, {
        kind: "vm",
        id: name,
      });
    }
    const { sidecarId, epoch } = this.#options;
    const vm = new Vm({
      key: vmKeyOf(holder.user, spec.vmId),
      user: holder.user,
      spec,
      image: spec.image ?? "host",
      sidecarId,
      epoch,
    });
    this.#registry.add(vm);
    this.#options.onChange();
    void this.#start(vm, holder);
    return vm;
  }

  async #start(vm: Vm, holder: Holder): Promise<void> {
    const { drivers, capacity } = this.#options;
    try {
      const choose = (): Promise<VmDriver> => drivers.choose(vm.facts.spec.driver ?? "auto");
      await this.#admission.run(holder.id, vm.startSignal, async () => {
        const started = await startVm(vm, choose, capacity.createMs);
        this.#started(vm);
        return started;
      });
    } catch (error) {
      vm.failed(error);
      this.#registry.remove(vm);
      this.#options.onChange();
    }
  }

  #started(vm: Vm): void {
    const { clock } = this.#options;
    const wallMs = vm.facts.spec.limits?.wallMs;
    const expire = (): void =>
      void this.#end(vm, { reason: "expired", detail: `its wallMs of ${wallMs} is over` });
    const cancelWall = wallMs === undefined ? () => undefined : clock.after(wallMs, expire);
    this.#timers.set(vm, { cancelParked: () => undefined, cancelWall });
    void vm.ended.then((end) => this.#gone(vm, end));
    // Everyone who waited has cancelled meanwhile.
    if (!vm.isWanted) void this.#end(vm, { reason: "released" });
  }

  #gone(vm: Vm, end: VmEnd): void {
    const { key } = vm.facts;
    const timers = this.#timers.get(vm);
    timers?.cancelParked();
    timers?.cancelWall();
    this.#timers.delete(vm);
    this.#registry.bury(vm, end);
    const { reason, detail } = end;
    this.emit(vm, "vm.ended", { vmId: vm.id, reason, ...(detail === undefined ? {} : { detail }) });
    const holders = this.#leases.of(key).map((lease) => lease.holder);
    this.#leases.dropVm(key);
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

  #lease(vm: Vm, leaseId: string, holder: Holder): LeasedVm {
    // Between ready and here it may have ended.
    vm.access(vm.fence);
    const { user, id } = holder;
    const previous = this.#leases.find(vm.facts.key, leaseId)?.holder;
    const lease = this.#leases.acquire({
      user,
      leaseId,
      vmKey: vm.facts.key,
      fence: vm.fence,
      holder: id,
    });
    if (previous !== undefined) this.#letGo(previous, vm.facts.key);
    this.#timers.get(vm)?.cancelParked();
    // The connection was lost while the VM was made: its grace begins now.
    if (holder.isClosed) this.#leases.connectionLost(id);
    return { lease: this.#wire(lease, vm), vm: this.#info(vm) };
  }

  #leaseEnded(lease: HeldLease, why: LeaseEnd): void {
    const vm = this.#registry.byKey(lease.vmKey);
    if (vm === undefined) return;
    const successor = this.#leases.heldBy(lease.holder, lease.vmKey);
    vm.processes.leaseEnded(lease.leaseId, successor?.leaseId);
    if (why === "fenced") {
      const fenced = { vmId: vm.id, leaseId: lease.leaseId, currentFence: vm.fence };
      this.#holders.get(lease.holder)?.emit("lease.fenced", fenced);
    }
    this.#letGo(lease.holder, lease.vmKey);
    if (this.#leases.of(lease.vmKey).length === 0 && why !== "fenced") this.#unleased(vm, why);
  }

  #unleased(vm: Vm, why: "released" | "expired"): void {
    if (vm.name === undefined) return void this.#end(vm, { reason: why });
    const timers = this.#timers.get(vm);
    if (timers === undefined) return;
    timers.cancelParked();
    timers.cancelParked = this.#options.clock.after(DEFAULTS.frozenProcessesMs, () =>
      vm.processes.killAll(),
    );
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
