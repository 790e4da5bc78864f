import type {
  AdoptedVm,
  FrameSink,
  LimitHit,
  ProcessRequest,
  VmDriver,
  VmEnding,
  VmHandle,
  VmProcess,
  VmRecord,
  VmRequest,
} from "@agentos/core";
import { AgentOsError, type DriverReport } from "@agentos/protocol";
import { FakeDriver } from "@agentos/testing";

import { OutlivingProcess } from "./outliving-process.ts";

/** A VM that goes on without a sidecar. */
export class OutlivingVm {
  readonly request: VmRequest;
  readonly processes = new Map<string, OutlivingProcess>();
  /** Ids of processes that ran and were released. */
  readonly released = new Set<string>();
  readonly ended = Promise.withResolvers<VmEnding>();
  readonly listeners = new Set<(hit: LimitHit) => void>();
  isAlive = true;
  isFrozen = false;
  kills = 0;
  /** How often `freeze` was told what. */
  readonly freezes: boolean[] = [];

  constructor(request: VmRequest) {
    this.request = request;
  }

  process(id: string): OutlivingProcess {
    const process = this.processes.get(id);
    if (process === undefined) throw new Error(`no process ${id}`);
    return process;
  }

  end(ending: VmEnding): void {
    this.isAlive = false;
    this.ended.resolve(ending);
  }

  start(request: ProcessRequest, sink: FrameSink): VmProcess {
    const id = request.processId;
    if (this.processes.has(id) || this.released.has(id))
      throw new AgentOsError("ALREADY_EXISTS", `process ${id} exists`, { kind: "process", id });
    const process = new OutlivingProcess(request);
    this.processes.set(id, process);
    return this.#released(id, process.handle(sink));
  }

  adopt(): AdoptedVm["processes"] {
    return [...this.processes].map(([processId, process]) => {
      const handle = process.handle({ frame: () => undefined, closed: () => undefined });
      const state = process.exit === undefined ? "running" : "exited";
      return {
        processId,
        state,
        output: process.request.output,
        acknowledged: {
          stdout: process.stdout.acknowledged,
          stderr: process.stderr.acknowledged,
        },
        stdinReceived: process.stdin.length,
        process: this.#released(processId, handle),
        attach: (sink) => handle.attach(sink),
      };
    });
  }

  /** A released process leaves the table, and its id stays taken. */
  #released<P extends VmProcess>(id: string, handle: P): P {
    const close = handle.close.bind(handle);
    handle.close = () => {
      close();
      this.processes.delete(id);
      this.released.add(id);
    };
    return handle;
  }
}

/** The VMs of a machine: any number of drivers, one after the other, find them. */
export class Machine {
  readonly vms = new Map<string, OutlivingVm>();
  /** Awaited by each adoption. */
  onAdopt: (vmId: string) => Promise<void> = () => Promise.resolve();

  vm(id: string): OutlivingVm {
    const vm = this.vms.get(id);
    if (vm === undefined) throw new Error(`no VM ${id}`);
    return vm;
  }

  /** The sidecar is lost: what its VMs send reaches nobody. */
  abandon(): void {
    for (const vm of this.vms.values()) {
      for (const process of vm.processes.values()) process.abandon();
    }
  }
}

export class OutlivingDriver implements VmDriver {
  readonly name = "fake";
  readonly #machine: Machine;
  readonly #files = new FakeDriver();

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  probe(): Promise<DriverReport> {
    return this.#files.probe();
  }

  async create(request: VmRequest): Promise<VmHandle> {
    const vm = new OutlivingVm(request);
    this.#machine.vms.set(request.vmId, vm);
    return await this.#handle(vm);
  }

  async adopt(request: VmRequest, record: VmRecord): Promise<AdoptedVm> {
    await this.#machine.onAdopt(request.vmId);
    const vm = this.#machine.vms.get(request.vmId);
    if (vm?.isAlive !== true || record["id"] !== request.vmId)
      throw new AgentOsError("VM_ENDED", "gone", { vmId: request.vmId, reason: "died" });
    return { handle: await this.#handle(vm), processes: vm.adopt() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }

  async #handle(vm: OutlivingVm): Promise<VmHandle> {
    const fake = await this.#files.create(vm.request, { signal: new AbortController().signal });
    const { vmId, isolation, limits, environment, files } = fake;
    return {
      vmId,
      isolation,
      limits,
      environment,
      files,
      record: { id: vmId },
      ended: vm.ended.promise,
      startProcess: async (request, sink) => vm.start(request, sink),
      openLog: (id, from, sink) => fake.openLog(id, from, sink),
      processes: () => fake.processes(),
      ping: () => Promise.resolve(),
      freeze: async (frozen) => {
        vm.isFrozen = frozen;
        vm.freezes.push(frozen);
      },
      killProcesses: async () => void (vm.kills += 1),
      stats: async () => ({
        memoryBytes: 1,
        processes: vm.processes.size,
        cpuMs: 2,
        diskBytes: null,
      }),
      setLimits: (changes) => fake.setLimits(changes),
      onLimit: (listener) => {
        vm.listeners.add(listener);
        return () => vm.listeners.delete(listener);
      },
      [Symbol.asyncDispose]: async () => {
        vm.end({ kind: "ended" });
        await fake[Symbol.asyncDispose]();
      },
    };
  }
}
