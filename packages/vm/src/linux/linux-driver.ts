import { createHash, randomBytes } from "node:crypto";
import { lstat, mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";

import type { VmDriver, VmHandle, VmRequest } from "@agentos/core";
import { AgentOsError, DEFAULTS, type DriverReport, isAgentOsError } from "@agentos/protocol";

import { type HostImage, readHostImage } from "./host-image.ts";
import { BlockIdentities, type Identity, type IdentitySource, OwnIdentity } from "./identity.ts";
import { checkRequiredLimits, limitStates } from "./limits.ts";
import { LinuxVm } from "./linux-vm.ts";
import { checkMounts } from "./mounts.ts";
import { linuxReport, probeLinux } from "./probe.ts";
import { Slots } from "./slots.ts";
import { Spawner } from "./spawner.ts";
import { startFailed } from "./start-failure.ts";
import { encodeConfig, encodeCreate } from "./vm-config.ts";
import { VmLaunch } from "./vm-launch.ts";
import { findVmd, unavailable } from "./vmd-binary.ts";

const HOST_IMAGE = "host";
const SECRET_BYTES = 32;
const MAX_SOCKET_PATH_BYTES = 107;
const SOCKET_NAME_BYTES = 20;
/** Creates at once: more would only wait for the same two calls of the kernel. */
const MAX_STARTING = 16;

export interface LinuxDriverOptions {
  /** A folder for sockets, made with mode 0700 where it is missing. At most 86 bytes. */
  runDirectory: string;
  /** This life of the sidecar; a VM refuses a lower one than it has seen. Default 1. */
  epoch?: number;
  /** How long a VM waits for a sidecar after losing one. Default 0: it ends with its sidecar. */
  adoptGraceMs?: number;
  /** Default: what the build put beside this package. */
  vmdPath?: string;
  /** The Node that VMs find first on PATH. Default: this process's. */
  nodePath?: string;
  /** Where root's sidecars see one another's host ids. Default /run/agentos-ids. */
  identityDirectory?: string;
}

/** ready -> disposing -> disposed. */
type DriverState = "ready" | "disposing" | "disposed";

/** VMs from namespaces, through vmd. */
export class LinuxDriver implements VmDriver {
  readonly name = "linux";
  readonly #options: LinuxDriverOptions;
  readonly #identities: IdentitySource;
  readonly #starting = new Slots(MAX_STARTING);
  /** By VM: ids in use, from the first check to the last trace. */
  readonly #requests = new Map<string, VmRequest>();
  readonly #vms = new Set<LinuxVm>();
  readonly #creating = new Set<Promise<unknown>>();
  readonly #disposing = new AbortController();
  #state: DriverState = "ready";
  #madeDirectory = false;
  #image: Promise<HostImage> | undefined;
  #spawner: Promise<Spawner> | undefined;
  #disposed: Promise<void> | undefined;

  constructor(options: LinuxDriverOptions) {
    const bytes = Buffer.byteLength(options.runDirectory) + 1 + SOCKET_NAME_BYTES;
    if (bytes > MAX_SOCKET_PATH_BYTES) {
      const limit = MAX_SOCKET_PATH_BYTES - 1 - SOCKET_NAME_BYTES;
      throw new AgentOsError(
        "INVALID_ARGUMENT",
        `runDirectory: expected at most ${limit} bytes, got ${bytes - 1 - SOCKET_NAME_BYTES}`,
        {
          argument: "runDirectory",
          expected: `at most ${limit} bytes`,
          actual: String(bytes - 1 - SOCKET_NAME_BYTES),
        },
      );
    }
    this.#options = options;
    const root = process.geteuid?.() === 0;
    this.#identities = root ? new BlockIdentities(options.identityDirectory) : new OwnIdentity();
  }

  async probe(): Promise<DriverReport> {
    try {
      return await probeLinux(await this.#vmd());
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
    checkImage(request.image);
    checkRequiredLimits(request.requiredLimits);
    const { vmId } = request;
    if (this.#requests.has(vmId)) throw alreadyExists(vmId);
    // Before the first wait, so that two of the same id can't both pass.
    this.#requests.set(vmId, request);
    const creating = this.#create(request, options.signal);
    this.#creating.add(creating);
    try {
      return await creating;
    } catch (error) {
      this.#freeId(request);
      throw error;
    } finally {
      this.#creating.delete(creating);
    }
  }

  /** Ends every VM and the spawner. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    await this.#disposed;
  }

  async #create(request: VmRequest, callers: AbortSignal): Promise<VmHandle> {
    const deadline = AbortSignal.timeout(DEFAULTS.createMs);
    const signal = AbortSignal.any([callers, deadline, this.#disposing.signal]);
    try {
      const release = await this.#starting.take(signal);
      try {
        return await this.#launch(request, signal);
      } finally {
        release();
      }
    } catch (error) {
      if (!signal.aborted || isAgentOsError(error)) throw error;
      if (callers.aborted) throw cancelled(callers.reason);
      if (deadline.aborted) throw startFailed(request.vmId, "deadline", "ETIMEDOUT", error);
      throw disposedError();
    }
  }

  async #launch(request: VmRequest, signal: AbortSignal): Promise<VmHandle> {
    const { vmId, limits } = request;
    const [mounts, image, spawner] = await Promise.all([
      checkMounts(request.mounts),
      this.#hostImage(),
      this.#runningSpawner(),
    ]);
    const config = encodeConfig(request, image, mounts);
    const identity = await this.#identities.take();
    const socketPath = join(this.#options.runDirectory, socketName(vmId));
    const launch = new VmLaunch({
      request,
      spawner,
      socketPath,
      config,
      create: encodeCreate({
        vmId,
        secret: randomBytes(SECRET_BYTES),
        epoch: this.#options.epoch ?? 1,
        socketPath,
        hostId: identity.hostId,
        adoptGraceMs: this.#options.adoptGraceMs ?? 0,
      }),
    });
    void this.#releaseAfter(launch, request, identity);
    const link = await launch.run(signal);
    const vm = new LinuxVm({
      link,
      limits: limitStates(limits),
      environment: image.environment,
      gone: launch.gone,
      kill: () => launch.kill(),
    });
    this.#vms.add(vm);
    void vm.ended.then(() => this.#vms.delete(vm));
    return vm;
  }

  async #releaseAfter(launch: VmLaunch, request: VmRequest, identity: Identity): Promise<void> {
    await launch.gone;
    identity.release();
    this.#freeId(request);
  }

  /** Harmless when another VM has taken the id since. */
  #freeId(request: VmRequest): void {
    if (this.#requests.get(request.vmId) === request) this.#requests.delete(request.vmId);
  }

  async #vmd(): Promise<string> {
    return this.#options.vmdPath ?? (await findVmd());
  }

  async #hostImage(): Promise<HostImage> {
    this.#image ??= readHostImage(this.#options.nodePath ?? process.execPath);
    return await this.#image;
  }

  /** The one that runs, or a new one in the place of one that died. */
  async #runningSpawner(): Promise<Spawner> {
    const starting = (this.#spawner ??= this.#startSpawner());
    try {
      return await starting;
    } catch (error) {
      if (this.#spawner === starting) this.#spawner = undefined;
      throw error;
    }
  }

  async #startSpawner(): Promise<Spawner> {
    const vmd = await this.#vmd();
    await this.#prepareDirectory();
    const name = `s-${randomBytes(8).toString("hex")}`;
    const spawner = await Spawner.start(vmd, join(this.#options.runDirectory, name));
    void spawner.ended.then(() => this.#replaceSpawner(spawner));
    return spawner;
  }

  async #replaceSpawner(spawner: Spawner): Promise<void> {
    if (this.#state !== "ready") return;
    this.#spawner = undefined;
    await spawner[Symbol.asyncDispose]();
  }

  async #prepareDirectory(): Promise<void> {
    const { runDirectory } = this.#options;
    const made = await mkdir(runDirectory, { recursive: true, mode: 0o700 });
    this.#madeDirectory ||= made !== undefined;
    const found = await lstat(runDirectory);
    if (!found.isDirectory() || found.uid !== process.geteuid?.() || (found.mode & 0o077) !== 0) {
      throw unavailable(`${runDirectory} must be a directory that only the sidecar's user can use`);
    }
  }

  #checkReady(): void {
    if (this.#state !== "ready") throw disposedError();
  }

  async #dispose(): Promise<void> {
    this.#state = "disposing";
    this.#disposing.abort();
    await Promise.allSettled(this.#creating);
    const results = await Promise.allSettled([...this.#vms].map((vm) => vm[Symbol.asyncDispose]()));
    const spawner = await this.#spawner?.catch(() => undefined);
    await spawner?.[Symbol.asyncDispose]();
    await this.#identities[Symbol.asyncDispose]();
    // Another driver may have sockets in it.
    if (this.#madeDirectory) await rmdir(this.#options.runDirectory).catch(() => {});
    this.#state = "disposed";
    const failed = results.flatMap((result) =>
      result.status === "rejected" ? [result.reason] : [],
    );
    if (failed.length > 0) throw new AggregateError(failed, failed.map(String).join("; "));
  }
}

function checkImage(image: string): void {
  if (image === HOST_IMAGE) return;
  const known = [HOST_IMAGE];
  throw new AgentOsError(
    "IMAGE_NOT_FOUND",
    `expected one of the images ${known.join(", ")}, got ${image}`,
    {
      image,
      known,
    },
  );
}

/** A VM's id may be longer than what a socket's path has room for. */
function socketName(vmId: string): string {
  return `v-${createHash("sha256")
    .update(vmId)
    .digest("hex")
    .slice(0, SOCKET_NAME_BYTES - 2)}`;
}

function alreadyExists(vmId: string): AgentOsError<"ALREADY_EXISTS"> {
  return new AgentOsError("ALREADY_EXISTS", `VM ${vmId} exists already`, { kind: "vm", id: vmId });
}

function cancelled(cause: unknown): AgentOsError<"CANCELLED"> {
  return new AgentOsError(
    "CANCELLED",
    "the VM's creation was cancelled",
    { operation: "vm.create" },
    { cause },
  );
}

function disposedError(): AgentOsError<"DISPOSED"> {
  return new AgentOsError("DISPOSED", "the linux driver was disposed", {
    kind: "driver",
    id: "linux",
  });
}
