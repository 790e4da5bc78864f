import { totalmem } from "node:os";
import { join } from "node:path";

import type { AdoptedVm, VmDriver, VmHandle, VmRecord, VmRequest, VmSnapshot } from "@agentos/core";
import { DEFAULTS, type DriverReport, isAgentOsError, type LimitName } from "@agentos/protocol";

import type { CgroupLimits } from "../cgroup/vm-cgroup.ts";
import type { FieldWriter } from "../link/fields.ts";
import type { Link } from "../link/link.ts";
import { FIELD } from "../link/link-kinds.ts";
import { adoptLink, EarlierSpawners, isTakenOver } from "./adoption.ts";
import { checkDriverOptions, type LinuxDriverOptions } from "./driver-options.ts";
import { alreadyExists, cancelled, checkImage, disposedError } from "./driver-errors.ts";
import { Snapshots } from "./disk/snapshots.ts";
import type { VmDisk } from "./disk/vm-disk.ts";
import { readHostImage } from "./host-image.ts";
import { Images } from "./images/images.ts";
import type { RootImage } from "./images/root-image.ts";
import { LaunchSource } from "./launch-source.ts";
import { checkRequiredLimits, configLimits, limitStates } from "./limits.ts";
import { LinuxVm, type LinuxVmOptions } from "./linux-vm.ts";
import { checkMounts } from "./mounts.ts";
import { linuxReport, probeLinux } from "./probe.ts";
import { Slots } from "./slots.ts";
import { startFailed } from "./start-failure.ts";
import { type DiskConfig, encodeConfig, encodeImage, type InsideView } from "./vm-config.ts";
import type { VmLaunch, VmStart } from "./vm-launch.ts";
import { decodeRecord, type LinuxVmRecord } from "./vm-record.ts";
import { WarmPool } from "./warm-pool.ts";

/** Creates at once: more would only wait for the same two calls of the kernel. */
const MAX_STARTING = 16;
/** More creates than this at once, and the pool is left as it is. */
const QUIET_CREATES = 1;

interface Image {
  /** Of any but the host's. */
  readonly root?: RootImage;
  readonly environment: VmHandle["environment"];
  readonly encoded: Uint8Array;
}

interface Started {
  readonly launch: VmLaunch;
  readonly link: Link;
}

/** ready -> disposing -> disposed. */
type DriverState = "ready" | "disposing" | "disposed";

/** VMs from namespaces, through vmd. Its spawner and its pool start with it. */
export class LinuxDriver implements VmDriver {
  readonly name = "linux";
  readonly #options: LinuxDriverOptions;
  readonly #source: LaunchSource;
  readonly #pool: WarmPool;
  readonly #snapshots: Snapshots;
  readonly #images: Images;
  readonly #earlier = new EarlierSpawners();
  readonly #starting = new Slots(MAX_STARTING);
  /** By VM: ids in use, from the first check to the last trace. */
  readonly #requests = new Map<string, VmRequest>();
  readonly #vms = new Set<LinuxVm>();
  readonly #creating = new Set<Promise<unknown>>();
  readonly #disposing = new AbortController();
  #state: DriverState = "ready";
  #isSpawnerShared = false;
  #image: Promise<Image> | undefined;
  #disposed: Promise<void> | undefined;

  constructor(options: LinuxDriverOptions) {
    checkDriverOptions(options);
    this.#options = options;
    this.#source = new LaunchSource(options);
    const { runDirectory, diskDirectory = join(runDirectory, "disks") } = options;
    this.#snapshots = new Snapshots(diskDirectory, runDirectory);
    this.#images = new Images(this.#snapshots.store);
    this.#pool = new WarmPool({
      size: options.warmPoolSize ?? DEFAULTS.warmPoolSize,
      refillMs: DEFAULTS.warmPoolRefillMs,
      prepare: (signal) => this.#prepare(signal),
      isBusy: () => this.#creating.size > QUIET_CREATES,
    });
    void this.#warmUp();
  }

  async probe(): Promise<DriverReport> {
    try {
      return await probeLinux(await this.#source.vmd(), await this.#source.cgroups());
    } catch (error) {
      if (!isAgentOsError(error, "DRIVER_UNAVAILABLE")) {
        return linuxReport({ reason: `vmd can't be started: ${String(error)}` });
      }
      const { reason, remedy } = error.details;
      return linuxReport(remedy === undefined ? { reason } : { reason, remedy });
    }
  }

  async create(request: VmRequest, options: { signal: AbortSignal }): Promise<VmHandle> {
    this.#checkReady();
    if (request.imageRecord === undefined) checkImage(request.image);
    return this.#occupy(request, (signal) => this.#create(request, signal), options.signal);
  }

  async adopt(
    request: VmRequest,
    record: VmRecord,
    options: { signal: AbortSignal },
  ): Promise<AdoptedVm> {
    this.#checkReady();
    const found = decodeRecord(record);
    return this.#occupy(request, (signal) => this.#adopt(request, found, signal), options.signal);
  }

  openSnapshot(record: VmRecord): VmSnapshot {
    return this.#snapshots.open(record);
  }

  async addImage(name: string, source: string): Promise<VmRecord> {
    this.#checkReady();
    return await this.#images.add(name, source);
  }

  async keepOnly(records: readonly VmRecord[]): Promise<void> {
    // One that is being made stands on what no VM says yet.
    if (this.#creating.size > 0) await Promise.allSettled(this.#creating);
    const live = [...this.#vms].map((vm) => vm.standsOn);
    await this.#snapshots.keepOnly(records, live, this.#images.importing);
  }

  /** Ends every VM and the spawner. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    await this.#disposed;
  }

  /** Holds the VM's id and a deadline around `work`; after a failure the id is free again. */
  async #occupy<T>(
    request: VmRequest,
    work: (signal: AbortSignal) => Promise<T>,
    callers: AbortSignal,
  ): Promise<T> {
    const { vmId } = request;
    if (this.#requests.has(vmId)) throw alreadyExists(vmId);
    // Before the first wait, so that two of the same id can't both pass.
    this.#requests.set(vmId, request);
    const working = this.#withDeadline(vmId, work, callers);
    this.#creating.add(working);
    try {
      return await working;
    } catch (error) {
      this.#freeId(request);
      throw error;
    } finally {
      this.#creating.delete(working);
    }
  }

  async #withDeadline<T>(
    vmId: string,
    work: (signal: AbortSignal) => Promise<T>,
    callers: AbortSignal,
  ): Promise<T> {
    const deadline = AbortSignal.timeout(DEFAULTS.createMs);
    const signal = AbortSignal.any([callers, deadline, this.#disposing.signal]);
    try {
      return await work(signal);
    } catch (error) {
      if (!signal.aborted || isAgentOsError(error)) throw error;
      if (callers.aborted) throw cancelled(callers.reason);
      if (deadline.aborted) throw startFailed(vmId, "deadline", "ETIMEDOUT", error);
      throw disposedError();
    }
  }

  async #create(request: VmRequest, signal: AbortSignal): Promise<VmHandle> {
    const [mounts, image, cgroups, { disk: own, hostId }] = await Promise.all([
      checkMounts(request.mounts),
      this.#imageOf(request),
      this.#source.cgroups(),
      this.#snapshots.diskOf(request.from, request.disk),
    ]);
    const { root } = image;
    const disk = root === undefined ? own : { ...own, parts: root.parts };
    const place = { cgroups, isOnDisk: disk.name !== undefined };
    checkRequiredLimits(request.requiredLimits, place);
    const limits = limitStates(request.limits, place);
    const held = configLimits(request.limits, place);
    const config = async (owner: number | undefined): Promise<Uint8Array> =>
      encodeConfig(
        held,
        mounts,
        insideView(request, limits),
        await this.#diskConfig(disk, owner, root),
      );
    const release = await this.#starting.take(signal);
    try {
      const start = { request, config, limits: cgroupLimits(limits) };
      return this.#live(request, await this.#start(start, { image, hostId }, signal), {
        limits,
        image,
        disk,
      });
    } finally {
      release();
    }
  }

  async #diskConfig(
    disk: VmDisk,
    hostId: number | undefined,
    root: RootImage | undefined,
  ): Promise<DiskConfig> {
    const { name, generation, layers: own = [], parts } = disk;
    const layers = await this.#snapshots.pathsOf(disk);
    const directory = name && (await this.#snapshots.directoryOf(name, hostId));
    if (root === undefined) return { directory, generation, layers, parts, files: [] };
    // What was there before has them, and may have changed them.
    const isNew = own.length === 0 && generation === 0;
    const files = isNew ? root.files : [];
    return { directory, generation, layers: [...layers, root.path], parts, files };
  }

  /** The host's, which is looked at once, or the root filesystem that the request names. */
  async #imageOf({ image, imageRecord }: VmRequest): Promise<Image> {
    if (imageRecord === undefined) return await this.#hostImage();
    const root = await this.#images.open(image, imageRecord);
    const writeTo = (fields: FieldWriter): void => {
      for (const { source, target } of root.links) fields.pair(FIELD.link, source, target);
    };
    return { root, environment: root.environment, encoded: encodeImage({ writeTo }) };
  }

  /** Through one of the pool, else cold. One of a lineage has its host id, and so is cold where that matters. */
  async #start(
    start: VmStart,
    { image, hostId }: { image: Image; hostId: number | undefined },
    signal: AbortSignal,
  ): Promise<Started> {
    const isPlain = hostId === undefined && image.root === undefined;
    const pooled = isPlain ? this.#pool.take() : undefined;
    if (pooled !== undefined) {
      try {
        return { launch: pooled, link: await pooled.start(start, signal) };
      } catch (error) {
        // It ended while it waited: no fault of the request.
        if (signal.aborted || pooled.isRefused) throw error;
      }
    }
    const launch = await this.#source.launch(image.encoded, hostId);
    return { launch, link: await launch.start(start, signal) };
  }

  async #prepare(signal: AbortSignal): Promise<VmLaunch> {
    const { encoded } = await this.#hostImage();
    const launch = await this.#source.launch(encoded);
    try {
      await launch.prepare(signal);
      return launch;
    } catch (error) {
      await launch.discard();
      throw error;
    }
  }

  #live(
    request: VmRequest,
    { launch, link }: Started,
    { limits, image, disk }: { limits: VmHandle["limits"]; image: Image; disk: VmDisk },
  ): LinuxVm {
    const { cgroup, secret, socketPath, linkId, identity, watch } = launch.options;
    const startedAt = Date.now();
    const { end } = launch;
    const spawnerPath = watch.socketPath;
    const { hostId } = identity;
    const record: LinuxVmRecord | undefined = end.init && {
      linkId,
      socketPath,
      spawnerPath,
      ...end.init,
      hostId,
      cgroups: cgroup.directories,
      startedAt,
      disk,
    };
    return this.#keep(request, {
      link,
      limits,
      environment: image.environment,
      cgroup,
      end,
      startedAt,
      record,
      canBeAdopted: this.#source.secrets.areShared,
      linkId,
      spawnerPath,
      hostId,
      disk,
      snapshots: this.#snapshots,
      isTakenOver: () => this.#isTakenOver(request.vmId, socketPath, secret),
    });
  }

  async #adopt(request: VmRequest, record: LinuxVmRecord, signal: AbortSignal): Promise<AdoptedVm> {
    const [image, cgroups] = await Promise.all([this.#imageOf(request), this.#source.cgroups()]);
    const isOnDisk = record.disk.name !== undefined;
    const limits = limitStates(request.limits, { cgroups, isOnDisk });
    const cgroup = await cgroups.adopt(record.cgroups, cgroupLimits(limits));
    const identity = await this.#source.identities.reserve(record.hostId);
    const secret = this.#source.secrets.of(record.linkId);
    const { epoch } = this.#source;
    const { socketPath, startedAt, linkId, spawnerPath, hostId, disk } = record;
    const leave = async (): Promise<void> => {
      identity.release();
      await cgroup.remove();
    };
    try {
      const options = { request, record, secret, epoch, cgroup, signal };
      const { link, end, processes } = await adoptLink(this.#earlier, options);
      void end.gone.then(leave);
      const handle = this.#keep(request, {
        link,
        limits,
        environment: image.environment,
        cgroup,
        end,
        startedAt,
        record,
        canBeAdopted: true,
        linkId,
        spawnerPath,
        hostId,
        disk,
        snapshots: this.#snapshots,
        isTakenOver: () => this.#isTakenOver(request.vmId, socketPath, secret),
      });
      return { handle, ...handle.adopt(processes) };
    } catch (error) {
      if (isAgentOsError(error, "VM_ENDED")) await leave();
      throw error;
    }
  }

  #keep(request: VmRequest, options: LinuxVmOptions): LinuxVm {
    const vm = new LinuxVm(options);
    this.#vms.add(vm);
    void this.#letGo(vm);
    void options.end.gone.then(() => this.#freeId(request));
    return vm;
  }

  async #letGo(vm: LinuxVm): Promise<void> {
    await vm.ended;
    this.#vms.delete(vm);
    this.#isSpawnerShared ||= vm.wasTakenOver;
  }

  async #isTakenOver(vmId: string, socketPath: string, secret: Uint8Array): Promise<boolean> {
    if ((this.#options.adoptGraceMs ?? 0) === 0) return false;
    return isTakenOver(vmId, { socketPath, secret, epoch: this.#source.epoch });
  }

  /** Harmless when another VM has taken the id since. */
  #freeId(request: VmRequest): void {
    if (this.#requests.get(request.vmId) === request) this.#requests.delete(request.vmId);
  }

  async #hostImage(): Promise<Image> {
    this.#image ??= this.#readImage();
    return this.#image;
  }

  async #readImage(): Promise<Image> {
    const { nodePath = process.execPath, agentsDirectory } = this.#options;
    const vmdPath = await this.#source.vmd();
    const image = await readHostImage({ nodePath, vmdPath, agentsDirectory });
    return { environment: image.environment, encoded: encodeImage(image) };
  }

  async #warmUp(): Promise<void> {
    // Where it fails, a create fails as well and tells why.
    await Promise.allSettled([this.#hostImage(), this.#pool.fill()]);
  }

  #checkReady(): void {
    if (this.#state !== "ready") throw disposedError();
  }

  async #dispose(): Promise<void> {
    this.#state = "disposing";
    this.#disposing.abort();
    await Promise.allSettled(this.#creating);
    await this.#pool[Symbol.asyncDispose]();
    const results = await Promise.allSettled([...this.#vms].map((vm) => vm[Symbol.asyncDispose]()));
    await this.#snapshots.end((this.#options.adoptGraceMs ?? 0) > 0);
    await this.#source.end(this.#isSpawnerShared);
    this.#earlier[Symbol.dispose]();
    this.#state = "disposed";
    const failed = results.flatMap((result) =>
      result.status === "rejected" ? [result.reason] : [],
    );
    if (failed.length > 0) throw new AggregateError(failed, failed.map(String).join("; "));
  }
}

/** What of the limits the VM's cgroups hold. */
function cgroupLimits({ memoryBytes, cpus, pids }: VmHandle["limits"]): CgroupLimits {
  const limits = Object.entries({ memoryBytes, cpus, pids });
  return Object.fromEntries(
    limits.flatMap(([name, { value }]) => (value === null ? [] : [[name, value]])),
  );
}

function insideView({ security }: VmRequest, limits: VmHandle["limits"]): InsideView {
  const { cpus, memoryBytes } = limits;
  return { profile: security, cpus: heldValue(cpus), memoryBytes: heldMemory(memoryBytes) };
}

function heldValue({ value, enforcement }: VmHandle["limits"][LimitName]): number | undefined {
  return enforcement === "hard" && value !== null ? value : undefined;
}

/** Undefined where the VM has the machine's memory to itself. */
function heldMemory(limit: VmHandle["limits"]["memoryBytes"]): number | undefined {
  const value = heldValue(limit);
  return value === undefined || value >= totalmem() ? undefined : value;
}
