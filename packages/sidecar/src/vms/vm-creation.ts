import type { Clock, VmDriver, VmHandle, VmRecord } from "@agentos/core";
import { AgentOsError, VmSpec } from "@agentos/protocol";

import type { Capacity } from "../options.ts";
import type { ImageHost } from "../images/image-host.ts";
import type { PrivateNetworks } from "../private/private-networks.ts";
import type { SnapshotHost } from "../snapshots/snapshot-host.ts";
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
  snapshots: SnapshotHost;
  images: ImageHost;
  networks: PrivateNetworks;
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
  vmOf(known: Pick<VmFacts, "key" | "user" | "spec" | "createdAt" | "from"> | StoredVm): Vm {
    const { sidecarId, epoch, clock } = this.#parts;
    const { key, user, spec, createdAt } = known;
    const restored = "fence" in known ? { fence: known.fence } : undefined;
    const from = "from" in known ? known.from : undefined;
    const image = spec.image ?? from?.image ?? "host";
    const imageRecord = this.#imageRecord(user, spec, image);
    const facts = { key, user, spec, createdAt, image, imageRecord, from, restored };
    return new Vm({ ...facts, sidecarId, epoch }, clock);
  }

  /** The VM that this request made before. */
  #known(user: string, spec: VmSpec): Vm | undefined {
    const { registry } = this.#parts;
    const vm = registry.byKey(vmKeyOf(user, spec.vmId));
    if (vm === undefined) {
      registry.assertNotEnded(user, spec.vmId);
      return undefined;
    }
    const isSame = vm.facts.user === user && isSameSpec(vm.facts.spec, spec);
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
    const from = this.#from(asker.user, spec);
    const vm = this.vmOf({ key, user: asker.user, spec, createdAt, from });
    registry.add(vm);
    onChange();
    void this.#start(vm, asker);
    return vm;
  }

  /** Drivers but linux have images of their own only. Throws `IMAGE_NOT_FOUND`. */
  #imageRecord(user: string, { driver = "auto" }: VmSpec, image: string): VmRecord | undefined {
    const isOfDriver = driver !== "auto" && driver !== "linux";
    return isOfDriver ? undefined : this.#parts.images.record(user, image);
  }

  /** The snapshot that is asked for. Throws `NOT_FOUND`, and `INVALID_ARGUMENT` for what it can't be. */
  #from(user: string, spec: VmSpec): VmFacts["from"] {
    if (spec.from === undefined) return undefined;
    const { snapshotId, driver, image, record } = this.#parts.snapshots.find(user, spec.from);
    const { driver: askedDriver = driver, image: askedImage = image } = spec;
    if (askedDriver !== driver && askedDriver !== "auto")
      throw notOf("driver", driver, askedDriver);
    if (askedImage !== image) throw notOf("image", image, askedImage);
    return { snapshotId, driver, image, record };
  }

  /** A named VM's files outlive it, unless they must have a hard size. Throws `ALREADY_EXISTS`. */
  #disk({ facts: { user, spec, image }, name }: Vm): VmRecord | "begin" | undefined {
    if (name === undefined || spec.limits?.require?.includes("diskBytes") === true)
      return undefined;
    const kept = this.#parts.snapshots.disk(user, name);
    if (kept === undefined) return "begin";
    const { from } = spec;
    if (from !== undefined || kept.image !== image) {
      const what = from === undefined ? "of another image" : "and a snapshot is asked for";
      throw alreadyExists(
        name,
        `the files of an earlier VM ${name} are there, ${what}: end it first`,
      );
    }
    return kept.record;
  }

  async #start(vm: Vm, asker: Asker): Promise<void> {
    const { drivers, capacity, store, clock, admission, registry, onChange } = this.#parts;
    try {
      const { spec: asked, from } = vm.facts;
      const choose = (): Promise<VmDriver> =>
        drivers.choose(from?.driver ?? asked.driver ?? "auto");
      const disk = this.#disk(vm);
      await admission.run(asker.id, vm.startSignal, async () => {
        let startedMs = 0;
        const keep = (driver: string, handle: VmHandle): void => {
          const { record } = handle;
          startedMs = clock.now();
          const { key, user, spec: own, createdAt, image } = vm.facts;
          // The snapshot that says so may be gone by then.
          const spec = own.from === undefined ? own : { ...own, image };
          const { fence } = vm;
          store.addVm({ key, user, spec, driver, record, fence, createdAt, startedMs });
          this.#parts.snapshots.keepDisk(vm, driver, handle);
        };
        const { networks } = this.#parts;
        const { createMs: deadlineMs } = capacity;
        const started = await startVm(vm, { choose, keep, disk, networks, deadlineMs });
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

/** One that an earlier life wrote down has its snapshot's image. */
function isSameSpec(known: VmSpec, asked: VmSpec): boolean {
  const image = asked.from === undefined ? asked.image : known.image;
  return JSON.stringify(VmSpec.parse(known)) === JSON.stringify(VmSpec.parse({ ...asked, image }));
}

function notOf(argument: string, expected: string, actual: string): AgentOsError {
  const message = `the snapshot is of the ${argument} ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}

function alreadyExists(id: string, message: string): AgentOsError<"ALREADY_EXISTS"> {
  return new AgentOsError("ALREADY_EXISTS", message, { kind: "vm", id });
}
