import type { Clock, VmHandle, VmRecord, VmSnapshot } from "@agentos/core";
import { AgentOsError, DEFAULTS, type SnapshotInfo } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { errorFacts, type Log } from "../log.ts";
import type { SnapshotStore } from "../store/snapshot-store.ts";
import type { StoredSnapshot } from "../store/stored-snapshot.ts";
import type { DriverSet } from "../vms/driver-set.ts";
import type { Vm } from "../vms/vm.ts";

const SWEEP_MS = 1_000;

export interface SnapshotHostParts {
  readonly drivers: DriverSet;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  readonly log: Log;
  /** The user's VMs, starting ones included. */
  readonly vmsOf: (user: string) => Vm[];
  /** Writes down how the VM is found from now on. */
  readonly keepRecord: (vm: Vm, record: VmRecord | undefined) => void;
}

interface Entry extends StoredSnapshot {
  /** Only for the VMs that are made of it right away: it goes with the last of them. */
  readonly isTransient: boolean;
  isSettled: boolean;
  /** Nobody but the VMs that stand on it needs it. */
  isReleased: boolean;
}

/** What a snapshot is asked for with. */
export interface SnapshotRequest {
  readonly snapshotId: string;
  readonly name?: string | undefined;
  readonly transient?: boolean | undefined;
}

/** The snapshots of a sidecar's users, and the sweeping of what no snapshot, disk or VM needs any more. */
export class SnapshotHost {
  readonly #parts: SnapshotHostParts;
  /** By user and id. */
  readonly #entries = new Map<string, Entry>();
  readonly #taking = new Map<string, Promise<Entry>>();
  #sweep: { cancel: () => void } | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  /** loading -> open -> closed */
  #state: "loading" | "open" | "closed" = "loading";
  #hasSwept = false;

  constructor(parts: SnapshotHostParts) {
    this.#parts = parts;
  }

  /** What earlier lives left is known from now on. */
  load(): void {
    for (const each of this.#parts.store.all())
      this.#entries.set(each.key, {
        ...each,
        isTransient: false,
        isSettled: false,
        isReleased: false,
      });
  }

  /** Looks after what earlier lives left. Before it, nothing is swept. */
  async restore(): Promise<void> {
    const { store, drivers, log } = this.#parts;
    const stored = [...this.#entries.values()].filter(({ isTransient }) => !isTransient);
    // Without one of them, nothing could be there to be settled or swept.
    if (stored.length === 0 && store.disks().length === 0 && store.images().length === 0) {
      this.#open();
      return;
    }
    for (const each of stored) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- Once, at the start, and mostly the same driver.
        const driver = await drivers.choose(each.driver);
        const snapshot = driver.openSnapshot?.(each.record);
        void this.#settle(each.key, snapshot?.settled ?? Promise.resolve(false));
      } catch (error) {
        log.error({ snapshotId: each.snapshotId, ...errorFacts(error) }, "a snapshot's driver");
      }
    }
    this.#open();
    this.sweepSoon();
  }

  /** Freezes the VM's files. The same id again is the same snapshot. */
  async take(
    vm: Vm,
    handle: VmHandle,
    request: SnapshotRequest,
    signal: AbortSignal,
  ): Promise<SnapshotInfo> {
    const { user } = vm.facts;
    const key = keyOf(user, request.snapshotId);
    const known = this.#entries.get(key);
    if (known !== undefined) return this.#info(known);
    const taking = this.#taking.get(key) ?? this.#take(vm, handle, { key, request, signal });
    this.#taking.set(key, taking);
    try {
      return this.#info(await taking);
    } finally {
      this.#taking.delete(key);
    }
  }

  list(user: string): SnapshotInfo[] {
    return this.#of(user)
      .filter(({ isTransient }) => !isTransient)
      .map((entry) => this.#info(entry));
  }

  /** By name or id. Throws `NOT_FOUND`. */
  find(user: string, ref: string): StoredSnapshot {
    const entry = this.#lookUp(user, ref);
    if (entry !== undefined) return entry;
    throw new AgentOsError("NOT_FOUND", `no snapshot ${ref}`, { kind: "snapshot", id: ref });
  }

  /** Rejects with `NOT_FOUND`, and `IN_USE` while a VM stands on it. */
  remove(user: string, ref: string): string {
    const { key, snapshotId, name } = this.find(user, ref);
    const entry = this.#entries.get(key);
    const by = this.#vmsOf(user, snapshotId);
    if (by.length > 0 && entry?.isTransient !== true) {
      const message = `the snapshot ${name ?? snapshotId} is in use by VM ${by.join(", ")}: end it first`;
      throw new AgentOsError("IN_USE", message, { kind: "snapshot", id: snapshotId, by });
    }
    this.#release(key);
    return snapshotId;
  }

  /** The id of what the VM began with, where that is still known. */
  beginningOf({ facts: { user, spec, from } }: Vm): string | undefined {
    const ref = from?.snapshotId ?? spec.from;
    return ref === undefined ? undefined : this.#lookUp(user, ref)?.snapshotId;
  }

  /** What stands on an image, besides VMs that live. */
  usersOfImage(user: string, image: string): string[] {
    const disks = this.#parts.store.disks().filter((disk) => disk.user === user);
    // The VMs that stand on one that was let go of are counted themselves.
    const kept = this.#of(user).filter(({ isReleased }) => !isReleased);
    const users = [...kept, ...disks].filter((each) => each.image === image);
    return users.map((each) => each.name ?? ("snapshotId" in each ? each.snapshotId : ""));
  }

  /** The disk that a VM of that name has, or had. */
  disk(user: string, name: string): ReturnType<SnapshotStore["disk"]> {
    return this.#parts.store.disk(user, name);
  }

  keepDisk(vm: Vm, driver: string, handle: VmHandle): void {
    const { user, image } = vm.facts;
    if (vm.name === undefined || handle.disk === undefined) return;
    this.#parts.store.putDisk({ user, name: vm.name, driver, image, record: handle.disk });
  }

  /** False: there was none. */
  removeDisk(user: string, name: string): boolean {
    const isRemoved = this.#parts.store.removeDisk(user, name);
    if (isRemoved) this.sweepSoon();
    return isRemoved;
  }

  /** A VM, a snapshot or a disk is gone: what nothing needs any more goes, in a moment. */
  sweepSoon(): void {
    if (this.#state !== "open" || this.#sweep !== undefined) return;
    const cancel = this.#parts.clock.after(SWEEP_MS, () => {
      this.#sweep = undefined;
      this.#sweeping = this.#sweeping.then(() => this.#removeUnneeded());
    });
    this.#sweep = { cancel };
  }

  /** A VM runs, so a driver is there: what a killed life left half-made goes with its first one. */
  sweepOnce(): void {
    if (this.#hasSwept) return;
    this.#hasSwept = this.#state === "open";
    this.sweepSoon();
  }

  /** Nothing is removed any more. */
  async close(): Promise<void> {
    this.#state = "closed";
    this.#sweep?.cancel();
    await this.#sweeping;
  }

  async #take(
    vm: Vm,
    handle: VmHandle,
    { key, request, signal }: { key: string; request: SnapshotRequest; signal: AbortSignal },
  ): Promise<Entry> {
    const { user, image } = vm.facts;
    const { snapshotId, name, transient = false } = request;
    this.#checkRoom(user, name);
    if (handle.snapshot === undefined) throw unsupported(vm.driver);
    const snapshot = await handle.snapshot({
      signal,
      keep: (record) => this.#parts.keepRecord(vm, record),
    });
    const entry: Entry = {
      key,
      user,
      snapshotId,
      name,
      vmId: vm.id,
      vmName: vm.name,
      driver: vm.driver,
      image,
      record: snapshot.record,
      createdAt: new Date().toISOString(),
      isTransient: transient,
      isSettled: false,
      isReleased: false,
    };
    // One that nobody can name in another life is not for one.
    if (!transient) this.#parts.store.add(entry);
    this.#entries.set(key, entry);
    if (transient) this.#parts.clock.after(2 * DEFAULTS.createMs, () => this.#release(key));
    void this.#settle(key, snapshot.settled);
    return entry;
  }

  async #settle(key: string, settled: VmSnapshot["settled"]): Promise<void> {
    const isSettled = await settled;
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#state === "closed") return;
    entry.isSettled = isSettled;
    if (isSettled || entry.isTransient) return;
    const { snapshotId } = entry;
    this.#parts.log.error({ snapshotId }, "a snapshot's files were lost before they were copied");
    this.#forget(key);
  }

  /** Unless it was closed meanwhile. */
  #open(): void {
    if (this.#state === "loading") this.#state = "open";
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || !this.#entries.delete(key)) return;
    if (!entry.isTransient && this.#state !== "closed") this.#parts.store.remove(key);
    this.sweepSoon();
  }

  /** Goes with the last VM that began with it. */
  #release(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.isReleased = true;
    if (this.#vmsOf(entry.user, entry.snapshotId).length === 0) this.#forget(key);
  }

  #lookUp(user: string, ref: string): Entry | undefined {
    const named = this.#of(user).find(({ name }) => name === ref);
    return named ?? this.#entries.get(keyOf(user, ref));
  }

  #checkRoom(user: string, name: string | undefined): void {
    const own = this.#of(user);
    if (own.length >= BOUNDS.snapshotsPerUser) {
      const details = { limit: "snapshots", capacity: BOUNDS.snapshotsPerUser, waiting: 0 };
      const message = `there are ${own.length} snapshots, and no more may be: remove some`;
      throw new AgentOsError("POOL_EXHAUSTED", message, details);
    }
    if (name === undefined || !own.some((entry) => entry.name === name)) return;
    const message = `there is a snapshot named ${name} already`;
    throw new AgentOsError("ALREADY_EXISTS", message, { kind: "snapshot", id: name });
  }

  async #removeUnneeded(): Promise<void> {
    const { store, drivers, log } = this.#parts;
    try {
      for (const [key, { isReleased }] of this.#entries) if (isReleased) this.#release(key);
      const records = [...this.#entries.values(), ...store.disks(), ...store.images()];
      for (const driver of await drivers.load()) {
        const own = records.filter((each) => each.driver === driver.name);
        // oxlint-disable-next-line no-await-in-loop -- There are two.
        if (this.#state === "open") await driver.keepOnly?.(own.map(({ record }) => record));
      }
    } catch (error) {
      log.error(errorFacts(error), "what no snapshot needs any more could not be removed");
    }
  }

  #of(user: string): Entry[] {
    return [...this.#entries.values()].filter((entry) => entry.user === user);
  }

  #vmsOf(user: string, snapshotId: string): string[] {
    return this.#parts
      .vmsOf(user)
      .filter((vm) => vm.state !== "ended" && this.beginningOf(vm) === snapshotId)
      .map(({ id }) => id);
  }

  #info(entry: Entry): SnapshotInfo {
    const { user, snapshotId, name, vmId, vmName, driver, image, createdAt, isSettled } = entry;
    return {
      snapshotId,
      ...(name === undefined ? {} : { name }),
      vmId,
      ...(vmName === undefined ? {} : { vmName }),
      driver,
      image,
      createdAt,
      settled: isSettled,
      vms: this.#vmsOf(user, snapshotId),
    };
  }
}

function keyOf(user: string, snapshotId: string): string {
  return `${user}\0${snapshotId}`;
}

function unsupported(driver: string): AgentOsError<"UNSUPPORTED"> {
  const what = `a snapshot of a VM with the driver ${driver}`;
  return new AgentOsError("UNSUPPORTED", `${what} can't be taken`, { what });
}
