import type { VmHandle, VmRecord, VmSnapshot } from "@agentos/core";

import type { Link } from "../link/link.ts";
import { recordOf } from "./disk/disk-record.ts";
import type { Snapshots } from "./disk/snapshots.ts";
import type { VmDisk } from "./disk/vm-disk.ts";

type SnapshotOptions = Parameters<NonNullable<VmHandle["snapshot"]>>[0];

export interface LiveDiskOptions {
  link: Link;
  disk: VmDisk;
  snapshots: Snapshots;
  linkId: string;
  spawnerPath: string;
  hostId: number | undefined;
  /** Stops the VM's processes, or lets them go on. */
  freeze: (frozen: boolean) => Promise<void>;
  /** Whether any process but the first is there. */
  hasProcesses: () => Promise<boolean>;
  isLive: () => boolean;
  /** What finds the VM again with its files there. */
  vmRecord: (disk: VmDisk) => VmRecord | undefined;
}

/** Where the files of a live VM are, and how they are frozen as a snapshot: its processes stand still meanwhile. */
export class LiveDisk {
  readonly #options: LiveDiskOptions;
  #now: VmDisk;
  /** What was asked for last: a snapshot stops the processes for itself and restores that. */
  #isFrozen = false;
  #snapping: Promise<unknown> = Promise.resolve();

  constructor(options: LiveDiskOptions) {
    this.#options = options;
    this.#now = options.disk;
  }

  get now(): VmDisk {
    return this.#now;
  }

  /** Of one that outlives its VM. */
  get record(): VmRecord | undefined {
    const { name, keepers, layers: all = [] } = this.#now;
    if (name === undefined) return undefined;
    // Its own generations are found in its directory.
    const layers = all.filter((layer) => !layer.startsWith(`${name}-`));
    return recordOf({ version: 1, disk: name, layers, keepers, hostId: this.#options.hostId });
  }

  async freeze(frozen: boolean): Promise<void> {
    this.#isFrozen = frozen;
    await this.#options.freeze(frozen);
  }

  /** One after the other. */
  async snapshot(options: SnapshotOptions): Promise<VmSnapshot> {
    const turn = this.#snapping.then(() => this.#snapshot(options));
    this.#snapping = turn.catch(() => undefined);
    return await turn;
  }

  /** Nothing begins and nothing runs in the VM meanwhile. */
  async #snapshot({ signal, keep }: SnapshotOptions): Promise<VmSnapshot> {
    const { link, snapshots, linkId, spawnerPath, hostId, freeze, vmRecord } = this.#options;
    if (link.endedBy !== undefined) throw link.endedBy;
    signal.throwIfAborted();
    const before = this.#now;
    let stopped = false;
    link.hold();
    try {
      stopped = (await this.#options.hasProcesses()) && !this.#isFrozen;
      if (stopped) await freeze(true);
      keep(vmRecord({ ...before, layers: undefined }));
      const subject = { vmId: link.vmId, linkId, spawnerPath, hostId, disk: before };
      const { snapshot, disk } = await snapshots.take(subject);
      this.#now = disk;
      return snapshot;
    } finally {
      link.unhold();
      if (this.#options.isLive()) {
        keep(vmRecord(this.#now));
        if (stopped && !this.#isFrozen) await freeze(false);
      }
    }
  }
}
