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

/** Starts VMs as requests want them: through one of the warm pool where that can serve, else from nothing. */
export class VmStarts implements AsyncDisposable {
  readonly #options: VmStartsOptions;
  readonly #pool: WarmPool;
  readonly #starting = new Slots(MAX_STARTING);

  constructor(options: VmStartsOptions) {
    this.#options = options;
    this.#pool = new WarmPool({
      size: options.warmPoolSize ?? DEFAULTS.warmPoolSize,
      refillMs: DEFAULTS.warmPoolRefillMs,
      prepare: (signal) => this.#prepare(signal),
      isBusy: options.isBusy,
    });
  }

  /** Never rejects: where it fails, a start fails as well and tells why. */
  async warmUp(): Promise<void> {
    await Promise.allSettled([this.#options.images.host(), this.#pool.fill()]);
  }

  /** On a rejection nothing of the VM is left. */
  async start(request: VmRequest, signal: AbortSignal): Promise<StartedVm> {
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
    const release = await this.#starting.take(signal);
    try {
      const start = { request, config, limits: cgroupLimits(limits) };
      const started = await this.#launch(start, { image, hostId, isPoolable }, signal);
      return { ...started, limits, image, disk };
    } finally {
      release();
    }
  }

  /** Ends what waits in the pool. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
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
    start: VmStart,
    place: { image: VmImage; hostId: number | undefined; isPoolable: boolean },
    signal: AbortSignal,
  ): Promise<Pick<StartedVm, "launch" | "link">> {
    const { image, hostId, isPoolable } = place;
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
