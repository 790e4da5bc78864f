import type { LeaseTable } from "../leases/lease-table.ts";
import { BOUNDS } from "../bounds.ts";
import { errorFacts, type Log } from "../log.ts";
import type { PrivateNetworks } from "../private/private-networks.ts";
import type { Restored } from "../store/store.ts";
import type { StoredVm } from "../store/stored-vm.ts";
import type { DriverSet } from "./driver-set.ts";
import { inLanes } from "./in-lanes.ts";
import type { Parking } from "./parking.ts";
import type { Vm, VmEnd } from "./vm.ts";
import type { VmRegistry } from "./vm-registry.ts";
import { adoptVm } from "./vm-start.ts";

export interface RecoveryParts {
  drivers: DriverSet;
  networks: PrivateNetworks;
  log: Log;
  registry: VmRegistry;
  leases: LeaseTable;
  parking: Parking;
  vmOf: (stored: StoredVm) => Vm;
  /** Gives it a slot until then. */
  settle: (ended: Promise<unknown>) => void;
  /** It runs. */
  started: (vm: Vm, startedMs: number) => void;
  gone: (vm: Vm, end: VmEnd) => void;
  /** Its clients have a lease's grace from now on to ask for what is theirs. */
  unclaimed: (vm: Vm) => void;
  endUnheld: (vm: Vm) => void;
}

interface Found {
  vm: Vm;
  stored: StoredVm;
  /** Whether it was leased when its sidecar was lost. */
  wasHeld: boolean;
}

/** Takes over the VMs that an earlier life of the sidecar left, side by side, while requests come in already. */
export class VmRecovery {
  readonly #parts: RecoveryParts;
  #done: Promise<void> = Promise.resolve();

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** Resolves once each is taken over or given up: within `BOUNDS.adoptMs` each. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** When it returns, every VM and lease is known: requests for them wait for the rest. */
  start({ vms, leases, isSameBoot, unreadable }: Restored): void {
    const { log, registry, leases: table, vmOf, gone } = this.#parts;
    if (unreadable > 0) log.error({ unreadable }, "VMs of an earlier life could not be read");
    const held = new Set(leases.map(({ vmKey }) => vmKey));
    const found = vms.map((stored) => ({
      stored,
      vm: vmOf(stored),
      wasHeld: held.has(stored.key),
    }));
    const end = { reason: "died", detail: "the machine was restarted" } as const;
    if (!isSameBoot) return found.forEach(({ vm }) => gone(vm, end));
    for (const { vm } of found) registry.add(vm);
    for (const lease of leases) table.restore(lease);
    for (const each of found) this.#place(each);
    this.#done = inLanes(found, BOUNDS.concurrentAdoptions, (each) => this.#adopt(each));
  }

  /** What nobody holds is parked again once it is there; what somebody holds goes on. */
  #place({ vm, stored: { processesEndMs } }: Found): void {
    const { leases, parking, settle } = this.#parts;
    settle(vm.ended);
    const isHeld = leases.of(vm.facts.key).length > 0;
    if (vm.name !== undefined && (!isHeld || processesEndMs !== undefined))
      parking.park(vm, processesEndMs);
    // A failed thaw is in the log.
    if (isHeld) parking.leave(vm).catch(() => undefined);
  }

  async #adopt({ vm, stored, wasHeld }: Found): Promise<void> {
    const { drivers, networks, log, started, gone, unclaimed, endUnheld } = this.#parts;
    try {
      await adoptVm(vm, stored, { drivers, networks, deadlineMs: BOUNDS.adoptMs });
    } catch (error) {
      log.warn({ vmId: vm.id, ...errorFacts(error) }, "a VM of an earlier life is lost");
      vm.failed(error);
      return gone(vm, { reason: "died", detail: "its sidecar was lost" });
    }
    started(vm, stored.startedMs);
    unclaimed(vm);
    // Its last lease's grace was over before anyone could resume it. One that never had a lease may still get it.
    if (wasHeld) endUnheld(vm);
  }
}
