import { join } from "node:path";

import type { AdoptedVm, VmDriver, VmHandle, VmRecord, VmRequest, VmSnapshot } from "@agentos/core";
import { DEFAULTS, type DriverReport, isAgentOsError } from "@agentos/protocol";

import { adoptLink, EarlierSpawners, isTakenOver } from "./adoption.ts";
import { checkDriverOptions, type LinuxDriverOptions } from "./driver-options.ts";
import { alreadyExists, cancelled, checkImage, disposedError } from "./driver-errors.ts";
import { Snapshots } from "./disk/snapshots.ts";
import { Images } from "./images/images.ts";
import { VmImages } from "./images/vm-images.ts";
import { LaunchSource } from "./launch-source.ts";
import { cgroupLimits, limitStates } from "./limits.ts";
import { LinuxVm, type LinuxVmOptions } from "./linux-vm.ts";
import { linuxReport, probeLinux } from "./probe.ts";
import { startFailed } from "./start-failure.ts";
import { decodeRecord, type LinuxVmRecord } from "./vm-record.ts";
import { type StartedVm, VmStarts } from "./vm-starts.ts";

/** More creates than this at once, and the warm pool is left as it is. */
const QUIET_CREATES = 1;

/** ready -> disposing -> disposed. */
type DriverState = "ready" | "disposing" | "disposed";

/** VMs from namespaces, through vmd. Its spawner and its pool start with it. */
export class LinuxDriver implements VmDriver {
  readonly name = "linux";
  readonly #options: LinuxDriverOptions;
  readonly #source: LaunchSource;
  readonly #snapshots: Snapshots;
  readonly #images: Images;
  readonly #vmImages: VmImages;
  readonly #starts: VmStarts;
  readonly #earlier = new EarlierSpawners();
  /** By VM: ids in use, from the first check to the last trace. */
  readonly #requests = new Map<string, VmRequest>();
  readonly #vms = new Set<LinuxVm>();
  readonly #creating = new Set<Promise<unknown>>();
  readonly #disposing = new AbortController();
  #state: DriverState = "ready";
  #isSpawnerShared = false;
  #disposed: Promise<void> | undefined;

  constructor(options: LinuxDriverOptions) {
    checkDriverOptions(options);
    this.#options = options;
    this.#source = new LaunchSource(options);
    const { runDirectory, diskDirectory = join(runDirectory, "disks") } = options;
    this.#snapshots = new Snapshots(diskDirectory, runDirectory);
    this.#images = new Images(this.#snapshots.store);
    this.#vmImages = new VmImages({
      ...options,
      images: this.#images,
      vmd: () => this.#source.vmd(),
    });
    this.#starts = new VmStarts({
      source: this.#source,
      snapshots: this.#snapshots,
      images: this.#vmImages,
      warmPoolSize: options.warmPoolSize,
      isBusy: () => this.#creating.size > QUIET_CREATES,
    });
    void this.#starts.warmUp();
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
    return this.#occupy(
      request,
      async (signal) => this.#live(request, await this.#starts.start(request, signal)),
      options.signal,
    );
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

  #live(request: VmRequest, { launch, link, limits, image, disk }: StartedVm): LinuxVm {
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
      isTakenOver: () => this.#isTakenOver(request.vmId, socketPath, secret),
    });
  }

  async #adopt(request: VmRequest, record: LinuxVmRecord, signal: AbortSignal): Promise<AdoptedVm> {
    const finding = [this.#vmImages.of(request), this.#source.cgroups()] as const;
    const [image, cgroups] = await Promise.all(finding);
    const place = { cgroups, isOnDisk: record.disk.name !== undefined };
    const limits = limitStates(request.limits, place);
    const cgroup = await cgroups.adopt(record.cgroups, cgroupLimits(limits));
    const identity = await this.#source.identities.reserve(record.hostId);
    const secret = this.#source.secrets.of(record.linkId);
    const { socketPath, startedAt, linkId, spawnerPath, hostId, disk } = record;
    const leave = async (): Promise<void> => {
      identity.release();
      await cgroup.remove();
    };
    try {
      const own = { secret, epoch: this.#source.epoch, cgroup };
      const options = { request, record, ...own, signal };
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
        isTakenOver: () => this.#isTakenOver(request.vmId, socketPath, secret),
      });
      return { handle, ...handle.adopt(processes) };
    } catch (error) {
      if (isAgentOsError(error, "VM_ENDED")) await leave();
      throw error;
    }
  }

  #keep(request: VmRequest, options: Omit<LinuxVmOptions, "snapshots">): LinuxVm {
    const vm = new LinuxVm({ ...options, snapshots: this.#snapshots });
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

  #checkReady(): void {
    if (this.#state !== "ready") throw disposedError();
  }

  async #dispose(): Promise<void> {
    this.#state = "disposing";
    this.#disposing.abort();
    await Promise.allSettled(this.#creating);
    await this.#starts[Symbol.asyncDispose]();
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
