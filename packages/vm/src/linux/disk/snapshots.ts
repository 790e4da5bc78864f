import { randomBytes } from "node:crypto";
import { join } from "node:path";

import type { VmRecord, VmSnapshot } from "@agentos/core";
import { AgentOsError, DEFAULTS } from "@agentos/protocol";

import { keeperSocketName } from "../link-secrets.ts";
import { snapshotFailed } from "./snapshot-failed.ts";
import {
  type SnapshotRecord,
  readDiskRecord,
  readSnapshotRecord,
  recordOf,
} from "./disk-record.ts";
import { type Copied, endKeeper, Keeper } from "./keeper.ts";
import { storedName } from "../images/images.ts";
import { directoryOf, LayerStore } from "./layer-store.ts";
import { EMPTY_DISK, keeperOf, type VmDisk, WHOLE } from "./vm-disk.ts";

/** From so many layers on, a copy takes in what lies below: each layer makes a lookup slower. */
const FLATTEN_AT = 16;
/** From so many on a VM gets no further one: its snapshots are copies. */
const MAX_LAYERS = 40;
const SNAP_MS = 10_000;
const COPY_MS = 600_000;

/** A VM of which a snapshot is taken. */
export interface SnapshotSubject {
  readonly vmId: string;
  readonly linkId: string;
  readonly spawnerPath: string;
  readonly hostId: number | undefined;
  readonly disk: VmDisk;
}

/** What came of it. */
export interface Taken {
  readonly snapshot: VmSnapshot;
  /** The VM's disk from now on. */
  readonly disk: VmDisk;
}

/** The frozen layers and lasting disks of a driver's VMs. */
export class Snapshots {
  readonly store: LayerStore;
  readonly #socketDirectory: string;
  /** Layers whose copy is awaited. */
  readonly #settling = new Map<string, Promise<boolean>>();
  /** Of those, by layer. */
  readonly #sockets = new Map<string, string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(directory: string, socketDirectory: string) {
    this.store = new LayerStore(directory);
    this.#socketDirectory = socketDirectory;
  }

  /** The VM's processes stand still and nothing begins in it. Rejects with `SNAPSHOT_FAILED`, and it is as it was. */
  async take(subject: SnapshotSubject): Promise<Taken> {
    const { disk, linkId, spawnerPath, hostId } = subject;
    const { layers, generation } = disk;
    const onDisk = disk.name !== undefined;
    const isDeep = layers === undefined || layers.length >= FLATTEN_AT;
    const layer = `${isDeep ? WHOLE : "l-"}${randomBytes(8).toString("hex")}`;
    const copyTo = await this.store.begin(layer, hostId);
    const socketPath = onDisk ? undefined : join(this.#socketDirectory, keeperSocketName(layer));
    try {
      const keeper = await Keeper.take({
        spawnerPath,
        linkId,
        generation,
        socketPath,
        copyTo,
        switch: layers !== undefined && layers.length < (onDisk ? FLATTEN_AT : MAX_LAYERS),
        onDisk,
        flatten: isDeep,
        parts: disk.parts,
      });
      const snapped = await within(keeper.snapped, SNAP_MS);
      if (snapped.how === "failed") throw snapshotFailed(subject.vmId, snapped.failure);
      if (snapped.how === "copying") return await this.#copied(subject, layer, keeper);
      if (socketPath === undefined) return await this.#frozen(subject, layer);
      return this.#held(subject, layer, { keeper, socketPath });
    } catch (error) {
      await this.store.giveUp(layer);
      throw error;
    }
  }

  /** Of an earlier life. */
  open(record: VmRecord): VmSnapshot {
    const known = readSnapshotRecord(record);
    return { record, settled: this.#settled(known) };
  }

  /** The disk that a request begins with. */
  async diskOf(
    from: VmRecord | undefined,
    disk: VmRecord | "begin" | undefined,
  ): Promise<{ disk: VmDisk; hostId: number | undefined }> {
    if (disk !== undefined && disk !== "begin") {
      const { hostId, disk: name, layers, keepers } = readDiskRecord(disk);
      const generations = await this.store.generations(name);
      const own = generations.slice(1).map((generation) => `${name}-${generation}`);
      const [generation = 0] = generations;
      return { hostId, disk: { name, generation, layers: [...own, ...layers], keepers } };
    }
    const name = disk === "begin" ? `d-${randomBytes(8).toString("hex")}` : undefined;
    if (from === undefined) return { hostId: undefined, disk: { ...EMPTY_DISK, name } };
    const { hostId, layers, keepers } = readSnapshotRecord(from);
    return { hostId, disk: { name, generation: 0, layers: await this.#needed(layers), keepers } };
  }

  /** Where a VM finds its layers. Rejects with `NOT_FOUND` where one is lost. */
  async pathsOf({ layers = [], keepers }: VmDisk): Promise<string[]> {
    return await Promise.all(
      layers.map(async (layer) => {
        const path = (await this.store.find(layer)) ?? keeperOf(keepers, layer);
        if (path !== undefined) return path;
        const message = `the snapshot's files are lost: no layer ${layer}`;
        throw new AgentOsError("NOT_FOUND", message, { kind: "snapshot", id: layer });
      }),
    );
  }

  /** The directory of a lasting disk. */
  async directoryOf(name: string, hostId: number | undefined): Promise<string> {
    return await this.store.disk(name, hostId);
  }

  /** Removes every layer and disk that is in none of them. */
  async keepOnly(
    records: readonly VmRecord[],
    live: readonly VmDisk[],
    importing: Iterable<string>,
  ): Promise<void> {
    const names = new Set([...this.#settling.keys(), ...importing]);
    const add = async (layers: readonly string[]): Promise<void> => {
      for (const layer of await this.#needed(layers)) names.add(directoryOf(layer));
    };
    for (const record of records) {
      if (typeof record["kind"] === "string") {
        const image = storedName(record);
        if (image !== undefined) names.add(image);
        continue;
      }
      const isDisk = typeof record["disk"] === "string";
      const { layers } = isDisk ? readDiskRecord(record) : readSnapshotRecord(record);
      if (isDisk) names.add(readDiskRecord(record).disk);
      // oxlint-disable-next-line no-await-in-loop -- Few, and a look at a directory each.
      await add(layers);
    }
    for (const { name, layers } of live) {
      // Who does not know what it stands on may stand on anything.
      if (layers === undefined) return;
      if (name !== undefined) names.add(name);
      for (const layer of layers) names.add(directoryOf(layer));
    }
    await this.store.keepOnly(names);
  }

  /** Who holds layers in memory goes on until they are copied where there may be a next sidecar. */
  async end(isSucceeded: boolean): Promise<void> {
    const ending = [...this.#timers].map(([socketPath, timer]) => {
      clearTimeout(timer);
      return socketPath;
    });
    this.#timers.clear();
    if (!isSucceeded) ending.push(...this.#sockets.values());
    await Promise.all(ending.map(endKeeper));
    if (!isSucceeded) await this.store.clear();
  }

  /** In memory, and being copied. */
  #held(
    { disk, hostId }: SnapshotSubject,
    layer: string,
    { keeper, socketPath }: { keeper: Keeper; socketPath: string },
  ): Taken {
    const layers = [layer, ...(disk.layers ?? [])];
    const keepers = [...disk.keepers, `${layer} ${socketPath}`];
    const settled = this.#settle(layer, socketPath, keeper);
    const snapshot = { record: recordOf(newRecord(layers, keepers, hostId)), settled };
    return { snapshot, disk: { ...disk, generation: 0, layers, keepers } };
  }

  /** A generation of a lasting disk, which is where it lasts already. */
  async #frozen({ disk, hostId }: SnapshotSubject, unused: string): Promise<Taken> {
    await this.store.giveUp(unused);
    const layers = [`${disk.name}-${disk.generation}`, ...(disk.layers ?? [])];
    const record = recordOf(newRecord(layers, disk.keepers, hostId));
    const generation = disk.generation + 1;
    return {
      snapshot: { record, settled: Promise.resolve(true) },
      disk: { ...disk, generation, layers },
    };
  }

  async #copied(
    { vmId, disk, hostId }: SnapshotSubject,
    layer: string,
    keeper: Keeper,
  ): Promise<Taken> {
    const copied = await within(keeper.copied, COPY_MS);
    keeper.leave();
    if (!copied.ok) throw snapshotFailed(vmId, copied.failure);
    await this.store.finish(layer);
    const below = layer.startsWith(WHOLE) ? [] : (disk.layers ?? []);
    const record = recordOf(newRecord([layer, ...below], disk.keepers, hostId));
    return { snapshot: { record, settled: Promise.resolve(true) }, disk };
  }

  async #settled({ layers, keepers }: SnapshotRecord): Promise<boolean> {
    const each = await Promise.all(
      (await this.#needed(layers)).map(async (layer) => {
        const known = this.#settling.get(layer);
        if (known !== undefined) return await known;
        if ((await this.store.find(layer)) !== undefined) return true;
        const socketPath = keeperOf(keepers, layer);
        if (socketPath === undefined) return false;
        const keeper = await Keeper.watch(socketPath).catch(() => undefined);
        return keeper !== undefined && (await this.#settle(layer, socketPath, keeper));
      }),
    );
    return each.every(Boolean);
  }

  async #settle(layer: string, socketPath: string, keeper: Keeper): Promise<boolean> {
    const finishing = this.#finish(layer, socketPath, keeper.copied).catch(() => false);
    const settling = finishing.finally(() => {
      this.#settling.delete(layer);
      this.#sockets.delete(layer);
      keeper.leave();
    });
    this.#sockets.set(layer, socketPath);
    this.#settling.set(layer, settling);
    return await settling;
  }

  async #finish(layer: string, socketPath: string, copied: Promise<Copied>): Promise<boolean> {
    if (!(await copied).ok) return false;
    await this.store.finish(layer);
    // Somebody may be about to start from it.
    const timer = setTimeout(() => {
      this.#timers.delete(socketPath);
      void endKeeper(socketPath);
    }, DEFAULTS.createMs);
    timer.unref();
    this.#timers.set(socketPath, timer);
    return true;
  }

  /** Those that are not taken in by one above them. */
  async #needed(layers: readonly string[]): Promise<readonly string[]> {
    for (const [at, layer] of layers.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- The first one is the answer.
      if (layer.startsWith(WHOLE) && (await this.store.find(layer)) !== undefined)
        return layers.slice(0, at + 1);
    }
    return layers;
  }
}

function newRecord(
  layers: readonly string[],
  keepers: readonly string[],
  hostId: number | undefined,
): SnapshotRecord {
  const used = keepers.filter((each) => layers.some((layer) => each.startsWith(`${layer} `)));
  return { version: 1, layers, keepers: used, hostId };
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(
        new AgentOsError("DEADLINE_EXCEEDED", `vm.snapshot: not done within ${ms} ms`, {
          operation: "vm.snapshot",
          deadlineMs: ms,
        }),
      ),
    ms,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
