import type { Clock } from "@agentos/core";

import { errorFacts, type Log } from "../log.ts";
import type { Capacity } from "../options.ts";
import type { PrivateNetworks } from "../private/private-networks.ts";
import type { Restored, Store } from "../store/store.ts";
import { Admission } from "./admission.ts";
import type { DriverSet } from "./driver-set.ts";
import type { FileHosts } from "./file-hosts.ts";
import type { Holder } from "./holder.ts";
import type { Parking } from "./parking.ts";
import type { Vm, VmEnd } from "./vm.ts";
import { VmCreation } from "./vm-creation.ts";
import type { VmLeases } from "./vm-leases.ts";
import { VmLimits } from "./vm-limits.ts";
import { VmRecovery } from "./vm-recovery.ts";
import type { VmRegistry } from "./vm-registry.ts";

export interface VmLivesOptions {
  sidecarId: string;
  epoch: number;
  drivers: DriverSet;
  capacity: Capacity;
  leaseGraceMs: number;
  clock: Clock;
  log: Log;
  store: Store;
  registry: VmRegistry;
  leases: VmLeases;
  parking: Parking;
  files: FileHosts;
  networks: PrivateNetworks;
  /** VMs came or went. */
  onChange: () => void;
  /** One of an earlier life was taken over, whoever holds it. */
  onAdopted?: ((adopted: { user: string; vmId: string }) => void) | undefined;
}

/** The lives of VMs: each is made or taken over, watched while it runs, and buried. */
export class VmLives {
  readonly #options: VmLivesOptions;
  readonly #admission: Admission;
  readonly #creation: VmCreation;
  readonly #recovery: VmRecovery;
  readonly #limits: VmLimits;
  /** What stops when a VM is gone: timers, and listening to its limits. */
  readonly #stops = new Map<Vm, (() => void)[]>();

  constructor(options: VmLivesOptions) {
    this.#options = options;
    const { clock, log, leases } = options;
    this.#admission = new Admission(options.capacity);
    this.#limits = new VmLimits({
      clock,
      log,
      hit: (vm, hit) => leases.emit(vm, "vm.limit", { vmId: vm.id, ...hit }),
      near: (vm, near) => leases.emit(vm, "vm.limitNear", { vmId: vm.id, ...near }),
      timeOver: (vm, wallMs) =>
        void this.end(vm, { reason: "expired", detail: `its wallMs of ${wallMs} is over` }),
    });
    this.#creation = new VmCreation({
      ...options,
      ...options.files,
      admission: this.#admission,
      started: (vm, startedMs) => this.#started(vm, startedMs),
      end: (vm, end) => this.end(vm, end),
    });
    this.#recovery = this.#makeRecovery();
  }

  /** Resolves once every VM of an earlier life is taken over or given up. */
  get recovered(): Promise<void> {
    return this.#recovery.done;
  }

  /** Takes over what an earlier life left. Whoever asks for one of those VMs waits until that is decided. */
  restore(restored: Restored): void {
    this.#loadSnapshots();
    this.#recovery.start(restored);
    void this.#restoreSnapshots();
    this.#options.onChange();
  }

  /** The VM of that id, which starts where there is none. */
  begin(holder: Holder, spec: Parameters<VmCreation["vm"]>[1]): Vm {
    return this.#creation.vm(holder, spec);
  }

  /** Never rejects: what does not end as it should is in the log. */
  async end(vm: Vm, end: VmEnd): Promise<void> {
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

  /** Resolves once every VM is gone. */
  async close(): Promise<void> {
    const { registry } = this.#options;
    await Promise.all(registry.all().map((vm) => this.end(vm, { reason: "shutdown" })));
    await this.#recovery.done;
  }

  /** Before anybody asks for one. */
  #loadSnapshots(): void {
    const { files, log } = this.#options;
    try {
      files.snapshots.load();
    } catch (error) {
      log.error(errorFacts(error), "snapshots of an earlier life could not be read");
    }
  }

  /** Only once every VM that is left has said what it stands on. */
  async #restoreSnapshots(): Promise<void> {
    await this.#recovery.done;
    const { files, log } = this.#options;
    try {
      await files.snapshots.restore();
    } catch (error) {
      log.error(errorFacts(error), "snapshots of an earlier life could not be looked after");
    }
  }

  #makeRecovery(): VmRecovery {
    const { drivers, log, registry, leases, parking, networks, onAdopted } = this.#options;
    return new VmRecovery({
      drivers,
      networks,
      log,
      registry,
      leases: leases.table,
      parking,
      vmOf: (stored) => this.#creation.vmOf(stored),
      settle: (ended) => this.#admission.settle(ended),
      started: (vm, startedMs) => {
        this.#started(vm, startedMs);
        onAdopted?.({ user: vm.facts.user, vmId: vm.id });
      },
      gone: (vm, end) => this.#gone(vm, end),
      unclaimed: (vm) => this.#afterGrace(vm),
      endUnheld: (vm) => leases.endUnheld(vm, "expired"),
    });
  }

  /** The clients of an earlier life have had their time. */
  #afterGrace(vm: Vm): void {
    const { clock, leaseGraceMs, leases } = this.#options;
    const cancel = clock.after(leaseGraceMs, () => {
      vm.processes.endUnclaimed();
      vm.attachments.endUnclaimed();
      leases.endUnheld(vm, "expired");
    });
    this.#stops.get(vm)?.push(cancel);
  }

  #started(vm: Vm, startedMs: number): void {
    const { leases } = this.#options;
    this.#stops.set(vm, [this.#limits.watch(vm, startedMs)]);
    vm.egress.gate.decisions.listen((decision) =>
      leases.emit(vm, "vm.network", { vmId: vm.id, ...decision }),
    );
    this.#options.files.snapshots.sweepOnce();
    void vm.ended.then((end) => this.#gone(vm, end));
  }

  #gone(vm: Vm, end: VmEnd): void {
    const { store, log, registry, leases, parking, files, networks, onChange } = this.#options;
    const { key, user } = vm.facts;
    const { reason, detail } = end;
    const ended = { key, user, vmId: vm.id, name: vm.name, reason, detail };
    for (const stop of this.#stops.get(vm) ?? []) stop();
    this.#stops.delete(vm);
    parking.forget(vm);
    networks.leave(vm);
    try {
      store.buryVm(ended);
    } catch (error) {
      // The next life finds a VM that is gone, and says so.
      log.error({ vmId: vm.id, ...errorFacts(error) }, "a VM's end was not written");
    }
    registry.bury(ended);
    leases.emit(vm, "vm.ended", {
      vmId: vm.id,
      reason,
      ...(detail === undefined ? {} : { detail }),
    });
    leases.drop(vm);
    files.snapshots.sweepSoon();
    onChange();
  }
}
