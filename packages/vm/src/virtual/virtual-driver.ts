import { randomUUID } from "node:crypto";

import type { AdoptedVm, VmDriver, VmRecord, VmRequest, VmSnapshot } from "@agentos/core";
import { AgentOsError, type DriverReport, isAgentOsError } from "@agentos/protocol";

import { findShell } from "./find-shell.ts";
import { checkVirtualLimits, treeLimits, virtualLimits } from "./virtual-limits.ts";
import { copiesOf } from "./virtual-mounts.ts";
import { virtualReport } from "./virtual-report.ts";
import { VirtualSnapshot } from "./virtual-snapshot.ts";
import { VirtualVm } from "./virtual-vm.ts";
import { WorkerPool } from "./worker-pool.ts";

const IMAGE = "host";

export interface VirtualDriverOptions {
  /** Where just-bash is looked for when it is not beside this package. Default: the working directory. */
  readonly directory?: string;
}

/** ready -> disposing -> disposed. */
type DriverState = "ready" | "disposing" | "disposed";

/** VMs from an interpreter, in worker threads. Nothing is loaded before the first VM. No security boundary. */
export class VirtualDriver implements VmDriver {
  readonly name = "virtual";
  readonly #options: VirtualDriverOptions;
  readonly #vms = new Map<string, VirtualVm | "starting">();
  /** Told apart from those of other lives, which ended with them. */
  readonly #life = randomUUID();
  readonly #snapshots = new Map<number, VirtualSnapshot>();
  #pool: WorkerPool | undefined;
  #state: DriverState = "ready";
  #lastSnapshot = 0;

  constructor(options: VirtualDriverOptions = {}) {
    this.#options = options;
  }

  async probe(): Promise<DriverReport> {
    try {
      findShell(this.#options.directory);
      return virtualReport();
    } catch (error) {
      if (!isAgentOsError(error, "DRIVER_UNAVAILABLE")) throw error;
      const { reason, remedy } = error.details;
      return virtualReport(remedy === undefined ? { reason } : { reason, remedy });
    }
  }

  async create(request: VmRequest, { signal }: { signal: AbortSignal }): Promise<VirtualVm> {
    const from = request.from === undefined ? undefined : this.#snapshotOf(request.from);
    return await this.#make(request, signal, from);
  }

  openSnapshot(record: VmRecord): VmSnapshot {
    const isHere = record["life"] === this.#life;
    return { record, settled: Promise.resolve(isHere) };
  }

  async keepOnly(records: readonly VmRecord[]): Promise<void> {
    const kept = new Set(
      records.filter(({ life }) => life === this.#life).map((each) => each["number"]),
    );
    for (const [number, snapshot] of this.#snapshots) {
      if (kept.has(number)) continue;
      this.#snapshots.delete(number);
      // oxlint-disable-next-line no-await-in-loop -- A message to its worker each.
      await snapshot[Symbol.asyncDispose]();
      this.#pool?.given(snapshot.worker);
    }
  }

  /** A VM that starts from a snapshot's files. Constant time: nothing is copied. */
  async fork(
    snapshot: VirtualSnapshot,
    request: VmRequest,
    { signal }: { signal: AbortSignal },
  ): Promise<VirtualVm> {
    return await this.#make(request, signal, snapshot);
  }

  /** The VM's files as they are now. Constant time, whatever they hold. */
  async snapshot(vm: VirtualVm): Promise<VirtualSnapshot> {
    this.#lastSnapshot += 1;
    return await VirtualSnapshot.take(vm, this.#lastSnapshot);
  }

  /** A virtual VM ends with its sidecar. */
  async adopt({ vmId }: VmRequest, _record: VmRecord): Promise<AdoptedVm> {
    const message = `the VM ${vmId} has ended: a virtual VM ends with its sidecar`;
    throw new AgentOsError("VM_ENDED", message, { vmId, reason: "died" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "ready") this.#state = "disposing";
    const vms = [...this.#vms.values()].filter((vm) => vm !== "starting");
    await Promise.all(vms.map((vm) => vm[Symbol.asyncDispose]()));
    await this.#pool?.end();
    this.#state = "disposed";
  }

  async #freeze(vm: VirtualVm): Promise<VmSnapshot> {
    const snapshot = await this.snapshot(vm);
    this.#snapshots.set(snapshot.number, snapshot);
    const record = { version: 1, life: this.#life, number: snapshot.number };
    return { record, settled: Promise.resolve(true) };
  }

  #snapshotOf({ life, number }: VmRecord): VirtualSnapshot {
    const found = life === this.#life ? this.#snapshots.get(Number(number)) : undefined;
    if (found !== undefined) return found;
    const message = "the snapshot is gone: one of a virtual VM ends with its sidecar";
    throw new AgentOsError("NOT_FOUND", message, { kind: "snapshot", id: String(number) });
  }

  async #make(
    request: VmRequest,
    signal: AbortSignal,
    snapshot: VirtualSnapshot | undefined,
  ): Promise<VirtualVm> {
    this.#check(request);
    const { vmId } = request;
    // Before the first wait, so that two of the same id can't both pass.
    this.#vms.set(vmId, "starting");
    try {
      const vm = await this.#start(request, snapshot);
      if (signal.aborted || this.#state !== "ready") {
        await vm[Symbol.asyncDispose]();
        throw signal.aborted ? cancelled(signal.reason) : disposedError();
      }
      this.#vms.set(vmId, vm);
      void vm.ended.then(() => this.#ended(vm));
      return vm;
    } catch (error) {
      this.#vms.delete(vmId);
      throw error;
    }
  }

  async #start(request: VmRequest, snapshot: VirtualSnapshot | undefined): Promise<VirtualVm> {
    const { vmId, mounts } = request;
    const limits = virtualLimits(request.limits);
    const copies = await copiesOf(mounts);
    const { worker, vm } = await this.#place(snapshot);
    const from = snapshot === undefined ? {} : { from: snapshot.number };
    const freeze = (frozen: VirtualVm): Promise<VmSnapshot> => this.#freeze(frozen);
    const made = new VirtualVm({ vmId, worker, vm, limits, freeze });
    try {
      await worker.call(vm, { op: "create", limits: treeLimits(limits), copies, ...from });
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      this.#pool?.given(worker);
      throw startFailed(error);
    }
  }

  /** A fork is where its snapshot is: only there nothing needs to be copied. */
  async #place(snapshot: VirtualSnapshot | undefined) {
    if (snapshot !== undefined) return { worker: snapshot.worker, vm: snapshot.worker.claim() };
    this.#pool ??= new WorkerPool(findShell(this.#options.directory));
    return await this.#pool.take();
  }

  #ended(vm: VirtualVm): void {
    if (this.#vms.get(vm.vmId) === vm) this.#vms.delete(vm.vmId);
    this.#pool?.given(vm.worker);
  }

  #check({ vmId, image, requiredLimits, security }: VmRequest): void {
    if (this.#state !== "ready") throw disposedError();
    if (this.#vms.has(vmId)) {
      const message = `VM ${vmId} exists already`;
      throw new AgentOsError("ALREADY_EXISTS", message, { kind: "vm", id: vmId });
    }
    checkVirtualLimits(requiredLimits);
    if (security !== "standard") throw noProfile(security);
    if (image === IMAGE) return;
    const known = [IMAGE];
    const message = `expected one of the images ${known.join(", ")}, got ${image}`;
    throw new AgentOsError("IMAGE_NOT_FOUND", message, { image, known });
  }
}

function noProfile(profile: string): AgentOsError<"UNSUPPORTED"> {
  const what = `the security profile ${profile}: the virtual driver has no system calls`;
  const instead = 'driver: "linux"';
  return new AgentOsError("UNSUPPORTED", what, { what, instead });
}

/** What the copying of a host directory met. */
function startFailed(error: unknown): unknown {
  if (!isAgentOsError(error, "FILE_SYSTEM")) return error;
  const { errno } = error.details;
  const message = `the VM could not be made: ${error.message}`;
  return new AgentOsError("VM_START_FAILED", message, { step: "copy", errno }, { cause: error });
}

function cancelled(cause: unknown): AgentOsError<"CANCELLED"> {
  const details = { operation: "vm.create" };
  return new AgentOsError("CANCELLED", "the VM's creation was cancelled", details, { cause });
}

function disposedError(): AgentOsError<"DISPOSED"> {
  const details = { kind: "driver", id: "virtual" };
  return new AgentOsError("DISPOSED", "the virtual driver was disposed", details);
}
