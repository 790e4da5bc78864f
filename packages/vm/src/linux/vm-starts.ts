import type { VmHandle, VmRequest } from "@agentos/core";
import { DEFAULTS } from "@agentos/protocol";

import type { Link } from "../link/link.ts";
import type { Snapshots } from "./disk/snapshots.ts";
import type { VmDisk } from "./disk/vm-disk.ts";
import type { RootImage } from "./images/root-image.ts";
import type { VmImage, VmImages } from "./images/vm-images.ts";
import { insideView } from "./inside-view.ts";
import type { LaunchSource } from "./launch-source.ts";
import { cgroupLimits, checkRequiredLimits, configLimits, limitStates } from "./limits.ts";
import { checkMounts } from "./mounts.ts";
import { Slots } from "./slots.ts";
import { SpareVms } from "./spare-vms.ts";
import { type DiskConfig, encodeConfig } from "./vm-config.ts";
import type { VmLaunch, VmStart } from "./vm-launch.ts";
import { WarmPool } from "./warm-pool.ts";

/** Starts at once: more would only wait for the same two calls of the kernel. */
const MAX_STARTING = 16;

export interface VmStartsOptions {
  readonly source: LaunchSource;
  readonly snapshots: Snapshots;
  readonly images: VmImages;
  /** Default `DEFAULTS.warmPoolSize`. */
  readonly warmPoolSize?: number | undefined;
  /** While this is so the pool is left as it is. */
  readonly isBusy: () => boolean;
}

/** A VM that runs, sealed. */
export interface StartedVm {
  readonly launch: VmLaunch;
  readonly link: Link;
  readonly limits: VmHandle["limits"];
  readonly image: VmImage;
  readonly disk: VmDisk;
}

/** What a request comes to on this machine. */
interface StartPlan {
  readonly start: VmStart;
  readonly facts: Pick<StartedVm, "limits" | "image" | "disk">;
  /** Of a lineage. */
  readonly hostId: number | undefined;
  readonly isPoolable: boolean;
}

/** Starts VMs as requests want them: a spare one where there is one, through one of the warm pool where that can serve, else from nothing. */
export class VmStarts implements AsyncDisposable {
  readonly #options: VmStartsOptions;
  readonly #pool: WarmPool;
  readonly #spares: SpareVms | undefined;
  readonly #starting = new Slots(MAX_STARTING);

  constructor(options: VmStartsOptions) {
    this.#options = options;
    const { isBusy, warmPoolSize = DEFAULTS.warmPoolSize } = options;
    this.#pool = new WarmPool({
      size: warmPoolSize,
      refillMs: DEFAULTS.warmPoolRefillMs,
      prepare: (signal) => this.#prepare(signal),
      isBusy,
    });
    const prepare = (request: VmRequest, signal: AbortSignal) =>
      this.#prepareSpare(request, signal);
    this.#spares = warmPoolSize === 0 ? undefined : new SpareVms({ prepare, isBusy });
  }

  /** Never rejects: where it fails, a start fails as well and tells why. */
  async warmUp(): Promise<void> {
    await Promise.allSettled([this.#options.images.host(), this.#pool.fill()]);
  }

  /** On a rejection nothing of the VM is left. */
  async start(request: VmRequest, signal: AbortSignal): Promise<StartedVm> {
    const plan = await this.#plan(request);
    const spare = this.#spares?.take(request);
    if (spare !== undefined)
      return { ...plan.facts, launch: spare, link: spare.lease(request.vmId) };
    const release = await this.#starting.take(signal);
    try {
      return { ...plan.facts, ...(await this.#launch(plan, signal)) };
    } finally {
      release();
    }
  }

  /** Ends what waits in the pool. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pool[Symbol.asyncDispose](), this.#spares?.[Symbol.asyncDispose]()]);
  }

  /** Rejects where the request can't be served here. */
  async #plan(request: VmRequest): Promise<StartPlan> {
    const { source, snapshots, images } = this.#options;
    const [mounts, image, cgroups, { disk: own, hostId }] = await Promise.all([
      checkMounts(request.mounts),
      images.of(request),
      source.cgroups(),
      snapshots.diskOf(request.from, request.disk),
    ]);
    const { root } = image;
    // A lasting disk is written under its own id; what is only read is seen through a map of ids.
    const isNew = request.disk === undefined || request.disk === "begin";
    const isPoolable = isNew && root === undefined;
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
    const start = { request, config, limits: cgroupLimits(limits) };
    return { start, facts: { limits, image, disk }, hostId, isPoolable };
  }

  async #diskConfig(
    disk: VmDisk,
    hostId: number | undefined,
    root: RootImage | undefined,
  ): Promise<DiskConfig> {
    const { snapshots } = this.#options;
    const { name, generation, layers: own = [], parts } = disk;
    const layers = await snapshots.pathsOf(disk);
    const directory = name && (await snapshots.directoryOf(name, hostId));
    if (root === undefined) return { directory, generation, layers, parts, files: [] };
    // What was there before has them, and may have changed them.
    const isNew = own.length === 0 && generation === 0;
    const files = isNew ? root.files : [];
    return { directory, generation, layers: [...layers, root.path], parts, files };
  }

  /** Cold, one of a lineage has its host id. */
  async #launch(
    { start, facts: { image }, hostId, isPoolable }: StartPlan,
    signal: AbortSignal,
  ): Promise<Pick<StartedVm, "launch" | "link">> {
    const pooled = isPoolable ? this.#pool.take() : undefined;
    if (pooled !== undefined) {
      try {
        return { launch: pooled, link: await pooled.start(start, signal) };
      } catch (error) {
        // It ended while it waited, or this kernel can't map ids of files in memory: no fault of the request.
        const isOfIds = hostId !== undefined;
        if (signal.aborted || (pooled.isRefused && !isOfIds)) throw error;
      }
    }
    const launch = await this.#options.source.launch(image.encoded, hostId);
    return { launch, link: await launch.start(start, signal) };
  }

  async #prepareSpare(request: VmRequest, signal: AbortSignal): Promise<VmLaunch> {
    const plan = await this.#plan(request);
    const start = { ...plan.start, isSpare: true };
    return (await this.#launch({ ...plan, start }, signal)).launch;
  }

  async #prepare(signal: AbortSignal): Promise<VmLaunch> {
    const { source, images } = this.#options;
    const { encoded } = await images.host();
    const launch = await source.launch(encoded);
    try {
      await launch.prepare(signal);
      return launch;
    } catch (error) {
      await launch.discard();
      throw error;
    }
  }
}
