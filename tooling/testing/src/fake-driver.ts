import type { AdoptedVm, VmDriver, VmRecord, VmRequest } from "@agentos/core";
import { AgentOsError, type DriverReport, type Enforcement } from "@agentos/protocol";

import type { FakeProgram } from "./fake-program.ts";
import { FAKE_PROGRAMS } from "./fake-programs.ts";
import { FakeVm } from "./fake-vm.ts";

export interface FakeDriverOptions {
  /** Default "fake". */
  readonly name?: string;
  /** Programs besides those that every fake VM has. */
  readonly programs?: Readonly<Record<string, FakeProgram>>;
  /** Of every limit. Default "hard". */
  readonly enforcement?: Enforcement;
  /** Where it is given, `probe` says so and `create` refuses with `DRIVER_UNAVAILABLE`. */
  readonly unavailable?: { readonly reason: string; readonly remedy?: string };
  /** The driver of an earlier life, whose VMs this one can adopt. Default: only its own. */
  readonly earlier?: FakeDriver;
  /** Awaited inside `create`, to delay it or make it fail. */
  readonly onCreate?: (request: VmRequest, signal: AbortSignal) => Promise<void> | void;
}

/** A driver whose VMs live in memory, for tests that need no isolation. Its one image is "host". */
export class FakeDriver implements VmDriver {
  readonly name: string;
  readonly #options: FakeDriverOptions;
  readonly #vms = new Map<string, FakeVm>();

  constructor(options: FakeDriverOptions = {}) {
    this.name = options.name ?? "fake";
    this.#options = options;
  }

  /** The VMs that live. */
  get vms(): readonly FakeVm[] {
    return [...this.#vms.values()];
  }

  /** The live VM with this id; throws where there is none. */
  vm(vmId: string): FakeVm {
    const vm = this.#vms.get(vmId);
    if (vm === undefined)
      throw new Error(`no fake VM ${vmId}; alive: ${[...this.#vms.keys()].join(", ")}`);
    return vm;
  }

  async probe(): Promise<DriverReport> {
    const { unavailable } = this.#options;
    const limit = this.#enforcement;
    return {
      driver: this.name,
      available: unavailable === undefined,
      isolation: "none (fake)",
      ...unavailable,
      limits: {
        memoryBytes: limit,
        cpus: limit,
        pids: limit,
        diskBytes: limit,
        openFiles: limit,
        watches: limit,
        wallMs: limit,
      },
    };
  }

  async create(request: VmRequest, { signal }: { signal: AbortSignal }): Promise<FakeVm> {
    this.#refuse(request);
    await this.#options.onCreate?.(request, signal);
    if (signal.aborted) {
      const details = { operation: "create" };
      throw new AgentOsError("CANCELLED", "the create was cancelled", details, {
        cause: signal.reason,
      });
    }
    const programs = { ...FAKE_PROGRAMS, ...this.#options.programs };
    const vm = new FakeVm({ request, programs, enforcement: this.#enforcement });
    this.#keep(vm);
    return vm;
  }

  async adopt(
    request: VmRequest,
    record: VmRecord,
    { signal }: { signal: AbortSignal },
  ): Promise<AdoptedVm> {
    signal.throwIfAborted();
    const { vmId } = request;
    const owner = [this, this.#options.earlier].find(
      (driver) => driver?.owns(record["fakeVmId"]) === true,
    );
    if (owner === undefined) {
      const details = { vmId, reason: "it is gone" };
      throw new AgentOsError("VM_ENDED", `the VM ${vmId} has ended`, details);
    }
    const handle = owner.vm(vmId);
    if (owner !== this) this.#take(handle, owner);
    return { handle, processes: handle.adopt() };
  }

  /** Whether the VM of a record lives here. */
  owns(vmId: unknown): boolean {
    return typeof vmId === "string" && this.#vms.has(vmId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.vms.map((vm) => vm[Symbol.asyncDispose]()));
  }

  get #enforcement(): Enforcement {
    return this.#options.enforcement ?? "hard";
  }

  #keep(vm: FakeVm): void {
    this.#vms.set(vm.vmId, vm);
    void vm.ended.then(() => this.#vms.delete(vm.vmId));
  }

  #take(vm: FakeVm, owner: FakeDriver): void {
    owner.#vms.delete(vm.vmId);
    this.#keep(vm);
  }

  #refuse(request: VmRequest): void {
    const { unavailable } = this.#options;
    const { image, requiredLimits } = request;
    if (unavailable !== undefined) {
      const details = { driver: this.name, ...unavailable };
      throw new AgentOsError("DRIVER_UNAVAILABLE", unavailable.reason, details);
    }
    if (image !== "host") {
      const details = { image, known: ["host"] };
      throw new AgentOsError("IMAGE_NOT_FOUND", `no image ${JSON.stringify(image)}`, details);
    }
    const [limit] = requiredLimits;
    if (limit !== undefined && this.#enforcement !== "hard") {
      const reason = "the fake driver was told so";
      const details = { limit, offered: this.#enforcement, reason };
      throw new AgentOsError("UNSUPPORTED_LIMIT", `${limit} can't be hard: ${reason}`, details);
    }
  }
}
