import type { SessionVms } from "@agentos/core";
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
import type { ImageHost } from "../images/image-host.ts";
import { PrivateNetworks } from "../private/private-networks.ts";
import type { SnapshotHost } from "../snapshots/snapshot-host.ts";
import type { Restored } from "../store/store.ts";
import { makeFileHosts } from "./file-hosts.ts";
import type { Access, Holder } from "./holder.ts";
import { Parking } from "./parking.ts";
import type { Vm } from "./vm.ts";
import { VmLeases, type VmLeasesOptions } from "./vm-leases.ts";
import { VmLives, type VmLivesOptions } from "./vm-lives.ts";
import { VmRegistry } from "./vm-registry.ts";
import { driverLimits } from "./vm-request.ts";

/** What the host itself brings to its parts. */
type OwnParts = "registry" | "leases" | "parking" | "files" | "networks";

export interface VmHostOptions
  extends Omit<VmLivesOptions, OwnParts>, Pick<VmLeasesOptions, "onHeld"> {}

/** The VMs of one sidecar and who holds them. */
export class VmHost {
  readonly #options: VmHostOptions;
  readonly #registry: VmRegistry;
  readonly #leases: VmLeases;
  readonly #lives: VmLives;
  readonly #networks: PrivateNetworks;
  readonly snapshots: SnapshotHost;
  readonly images: ImageHost;
  #state: "open" | "closing" = "open";

  constructor(options: VmHostOptions) {
    this.#options = options;
    const { clock, store, log, leaseGraceMs } = options;
    const registry = new VmRegistry(store);
    const parking = new Parking({ clock, store, log });
    const leases = new VmLeases({
      ...options,
      graceMs: leaseGraceMs,
      registry,
      parking,
      beginningOf: (vm) => this.snapshots.beginningOf(vm),
      onUnheld: (vm, reason) => void this.#lives.end(vm, { reason }),
    });
    const files = makeFileHosts(options, registry);
    this.#registry = registry;
    this.#leases = leases;
    this.snapshots = files.snapshots;
    this.images = files.images;
    const networks = new PrivateNetworks(log);
    this.#networks = networks;
    this.#lives = new VmLives({ ...options, registry, leases, parking, files, networks });
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
    return this.#leases.holds;
  }

  /** What a user may know of how many there are. */
  countsOf(user: string): { vms: number; leases: number } {
    const vms = this.#registry.of(user);
    const leases = vms.reduce((sum, vm) => sum + this.#leases.countOf(vm), 0);
    return { vms: vms.length, leases };
  }

  /** Takes over what an earlier life left. Whoever asks for one of those VMs waits until that is decided. */
  restore(restored: Restored): void {
    this.#lives.restore(restored);
  }

  join(holder: Holder): void {
    this.#leases.join(holder);
  }

  /** The connection is lost: its leases' grace begins. */
  leave(holder: Holder): void {
    this.#leases.leave(holder);
  }

  /** Makes a VM and leases it. The same id again is the same VM. */
  async create(
    holder: Holder,
    params: ParsedParams<"vm.create">,
    signal: AbortSignal,
  ): Promise<LeasedVm> {
    this.#assertOpen();
    const { leaseId, ...spec } = params;
    const vm = this.#lives.begin(holder, spec);
    await vm.ready(signal);
    try {
      return await this.#leases.take(vm, holder, { leaseId, mode: "shared" });
    } catch (error) {
      this.#leases.endUnheld(vm, "released");
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
    return await this.#leases.take(vm, holder, params);
  }

  async list(user: string): Promise<VmInfo[]> {
    return (await this.running(user)).map((vm) => this.#leases.info(vm));
  }

  /** The user's VMs that run. */
  async running(user: string): Promise<Vm[]> {
    await this.#lives.recovered;
    return this.#registry.of(user).filter((vm) => vm.state === "running");
  }

  /** The one way to a VM: the caller's user, its fence and its lease are checked, and nothing may be awaited before the effect. */
  access(holder: Holder, scope: VmScope): Access {
    const vm = this.#registry.get(holder.user, scope.vmId);
    return this.#leases.access(vm, holder, scope.fence);
  }

  info(holder: Holder, scope: VmScope): VmInfo {
    return this.#leases.info(this.access(holder, scope).vm);
  }

  /** Changes limits of a live VM, for its next life of a sidecar too. Rejects with `UNSUPPORTED_LIMIT`, and nothing is changed. */
  async setLimits(holder: Holder, scope: VmScope, limits: LimitChanges): Promise<VmInfo> {
    const { vm, handle } = this.access(holder, scope);
    await handle.setLimits(driverLimits(limits));
    vm.setLimits(limits);
    this.#options.store.setSpec(vm.facts.key, vm.withLimits(limits));
    return this.#leases.info(vm);
  }

  /** What the VM's programs may reach, from now on and in later lives of the sidecar. */
  async setNetwork(holder: Holder, params: ParsedParams<"vm.setNetwork">): Promise<VmInfo> {
    const { vm, handle } = this.access(holder, params);
    const { store } = this.#options;
    await changeNetwork(vm, handle, params.network, { store, networks: this.#networks });
    return this.#leases.info(vm);
  }

  /** Gives a lease back, and resolves once an unnamed VM that it was the last of is gone. */
  async release(holder: Holder, params: ParsedParams<"lease.release">): Promise<void> {
    const vm = this.#registry.get(holder.user, params.vmId);
    // Only one of an earlier life is leased and does not run yet.
    if (vm.state === "starting" && vm.facts.restored !== undefined) await vm.running;
    this.#leases.release(vm, params.leaseId);
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
    return await this.#leases.resume(vm, holder, params);
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
    this.#leases.emit(vm, event, data);
  }

  /** Ends every VM, and takes no more. Everyone who is connected is told. */
  async close(reason: string): Promise<void> {
    this.#state = "closing";
    this.#leases.emitToAll("sidecar.closing", { reason });
    await this.#lives.close();
    await this.snapshots.close();
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
}
