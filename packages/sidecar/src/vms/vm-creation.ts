import type { Clock, VmDriver, VmRecord } from "@agentos/core";
import { AgentOsError, type VmSpec } from "@agentos/protocol";

import type { Capacity } from "../options.ts";
import type { Store } from "../store/store.ts";
import type { StoredVm } from "../store/stored-vm.ts";
import type { Admission } from "./admission.ts";
import type { DriverSet } from "./driver-set.ts";
import { Vm, type VmEnd, type VmFacts } from "./vm.ts";
import { type VmRegistry, vmKeyOf } from "./vm-registry.ts";
import { startVm } from "./vm-start.ts";

export interface VmCreationParts {
  sidecarId: string;
  epoch: number;
  drivers: DriverSet;
  capacity: Capacity;
  clock: Clock;
  store: Store;
  registry: VmRegistry;
  admission: Admission;
  /** It runs, since then. */
  started: (vm: Vm, startedMs: number) => void;
  end: (vm: Vm, end: VmEnd) => Promise<void>;
  /** VMs came or went. */
  onChange: () => void;
}

/** Who asks for a VM. */
export interface Asker {
  readonly id: string;
  readonly user: string;
}

/** How VMs come to be: each id once, names once per user, one after the other through admission. */
export class VmCreation {
  readonly #parts: VmCreationParts;

  constructor(parts: VmCreationParts) {
    this.#parts = parts;
  }

  /** The VM of that id, begun now where there is none: it may still start. Throws `ALREADY_EXISTS` and `VM_ENDED`. */
  vm(asker: Asker, spec: VmSpec): Vm {
    return this.#known(asker.user, spec) ?? this.#begin(asker, spec);
  }

  /** A VM that does not run yet, of this life or found from an earlier one. */
  vmOf(known: Pick<VmFacts, "key" | "user" | "spec" | "createdAt"> | StoredVm): Vm {
    const { sidecarId, epoch, clock } = this.#parts;
    const { key, user, spec, createdAt } = known;
    const image = spec.image ?? "host";
    const restored = "fence" in known ? { fence: known.fence } : undefined;
    return new Vm({ key, user, spec, createdAt, image, sidecarId, epoch, restored }, clock);
  }

  /** The VM that this request made before. */
  #known(user: string, spec: VmSpec): Vm | undefined {
    const { registry } = this.#parts;
    const vm = registry.byKey(vmKeyOf(user, spec.vmId));
    if (vm === undefined) {
      registry.assertNotEnded(user, spec.vmId);
      return undefined;
    }
    const isSame = vm.facts.user === user && JSON.stringify(vm.facts.spec) === JSON.stringify(spec);
    if (isSame) return vm;
    throw alreadyExists(
      spec.vmId,
      `there is a VM ${spec.vmId} already, with another specification`,
    );
  }

  #begin(asker: Asker, spec: VmSpec): Vm {
    const { registry, onChange } = this.#parts;
    const { name, vmId } = spec;
    if (name !== undefined && registry.byName(asker.user, name) !== undefined)
      throw alreadyExists(name, `there is a VM named ${name} already`);
    const key = vmKeyOf(asker.user, vmId);
    const createdAt = new Date().toISOString();
    const vm = this.vmOf({ key, user: asker.user, spec, createdAt });
    registry.add(vm);
    onChange();
    void this.#start(vm, asker);
    return vm;
  }

  async #start(vm: Vm, asker: Asker): Promise<void> {
    const { drivers, capacity, store, clock, admission, registry, onChange } = this.#parts;
    try {
      const choose = (): Promise<VmDriver> => drivers.choose(vm.facts.spec.driver ?? "auto");
      await admission.run(asker.id, vm.startSignal, async () => {
        let startedMs = 0;
        const keep = (driver: string, record: VmRecord | undefined): void => {
          startedMs = clock.now();
          const { key, user, spec, createdAt } = vm.facts;
          const { fence } = vm;
          store.addVm({ key, user, spec, driver, record, fence, createdAt, startedMs });
        };
        const started = await startVm(vm, choose, keep, capacity.createMs);
        this.#parts.started(vm, startedMs);
        // Everyone who waited has cancelled meanwhile.
        if (!vm.isWanted) void this.#parts.end(vm, { reason: "released" });
        return started;
      });
    } catch (error) {
      vm.failed(error);
      registry.remove(vm);
      onChange();
    }
  }
}

function alreadyExists(id: string, message: string): AgentOsError<"ALREADY_EXISTS"> {
  return new AgentOsError("ALREADY_EXISTS", message, { kind: "vm", id });
}
