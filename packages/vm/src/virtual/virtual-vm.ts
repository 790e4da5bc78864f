import { setImmediate as nextTurn } from "node:timers/promises";

import type {
  FrameSink,
  FrameSource,
  LimitHit,
  ProcessRequest,
  VmEnding,
  VmHandle,
  VmProcess,
  VmSnapshot,
  VmUse,
} from "@agentos/core";
import { AgentOsError, DRIVER_LIMIT_NAMES, type ProcessInfo } from "@agentos/protocol";
import * as z from "zod";

import { treeError } from "./tree/tree-error.ts";
import type { GuestWorker } from "./guest-worker.ts";
import { VirtualFiles } from "./virtual-files.ts";
import { VirtualProcess } from "./virtual-process.ts";
import { VIRTUAL_ISOLATION } from "./virtual-report.ts";

/** The builtin that it lacks. */
const WATCH = "watch";
const FIRST_PID = 2;
/** Ids of processes that are over and must not run again. */
const REMEMBERED_IDS = 1_024;
const SHOWN_COMMAND_CHARACTERS = 256;
const Bytes = z.int();

/** live -> ended. */
type VmState = "live" | "ended";

export interface VirtualVmOptions {
  readonly vmId: string;
  readonly worker: GuestWorker;
  readonly vm: number;
  readonly limits: VmHandle["limits"];
  /** Freezes the files of the VM that it is given. */
  readonly freeze: (vm: VirtualVm) => Promise<VmSnapshot>;
}

/** A VM whose programs are scripts of an interpreter, and whose files are a tree in memory. */
export class VirtualVm implements VmHandle {
  readonly vmId: string;
  readonly isolation = VIRTUAL_ISOLATION;
  readonly limits: VmHandle["limits"];
  readonly environment = {
    PATH: "/usr/bin:/bin",
    HOME: "/home/agent",
    USER: "agent",
    LOGNAME: "agent",
    SHELL: "/bin/sh",
    LANG: "C.UTF-8",
  };
  readonly files: VirtualFiles;
  readonly ended: Promise<VmEnding>;
  /** Its files are in the memory of its sidecar, and end with it. */
  readonly record = undefined;
  readonly #options: VirtualVmOptions;
  readonly #ended = Promise.withResolvers<VmEnding>();
  readonly #processes = new Map<string, VirtualProcess>();
  readonly #usedIds = new Set<string>();
  readonly #limitListeners = new Set<(hit: LimitHit) => void>();
  #ending: VmEnding = { kind: "died" };
  #state: VmState = "live";
  #nextPid = FIRST_PID;

  constructor(options: VirtualVmOptions) {
    const { vmId, worker, vm, limits } = options;
    this.vmId = vmId;
    this.limits = limits;
    this.files = new VirtualFiles(worker, vm, () => this.#gone());
    this.ended = this.#ended.promise;
    this.#options = options;
    worker.vms.set(vm, { limit: (limit, value) => this.#hit({ limit, value }) });
    void worker.ended.then((detail) => this.#end({ kind: "died", detail }));
  }

  /** The worker that its files are in. */
  get worker(): GuestWorker {
    return this.#options.worker;
  }

  /** What its worker calls it. */
  get number(): number {
    return this.#options.vm;
  }

  /** In constant time: its scripts need not stand still. */
  async snapshot(): Promise<VmSnapshot> {
    this.#check();
    return await this.#options.freeze(this);
  }

  async startProcess(request: ProcessRequest, sink: FrameSink): Promise<VmProcess> {
    this.#check();
    const { processId } = request;
    if (request.output === "logged") throw livesOn();
    if (request.builtin === true && request.argv[0] === WATCH) throw cannotWatch();
    if (this.#usedIds.has(processId)) throw existsAlready(processId);
    const { worker, vm, limits } = this.#options;
    const slot = this.#takeSlot();
    this.#remember(processId);
    try {
      const process = await VirtualProcess.start({
        worker,
        vm,
        request,
        sink,
        slot,
        pid: this.#nextPid++,
        openFiles: limits.openFiles.value ?? 0,
        gone: () => this.#gone(),
        onLimit: (hit) => this.#hit(hit),
        onReleased: () => this.#processes.delete(processId),
      });
      this.#processes.set(processId, process);
      return process;
    } catch (error) {
      this.#usedIds.delete(processId);
      throw error;
    }
  }

  async openLog(): Promise<FrameSource> {
    throw livesOn();
  }

  async processes(): Promise<{ processes: ProcessInfo[]; truncated: boolean }> {
    this.#check();
    return { processes: this.#running().map(infoOf), truncated: false };
  }

  async ping(): Promise<void> {
    await this.#options.worker.call(this.#options.vm, { op: "ping" });
  }

  /** What its scripts do next with a file or their output waits. */
  async freeze(frozen: boolean): Promise<void> {
    this.#check();
    await this.#options.worker.call(this.#options.vm, { op: "freeze", frozen });
  }

  async killProcesses(): Promise<void> {
    this.#check();
    for (const process of this.#running()) process.signal("SIGKILL", "process");
  }

  async stats(): Promise<VmUse> {
    this.#check();
    const { worker, vm } = this.#options;
    const diskBytes = Bytes.parse(await worker.call(vm, { op: "used-bytes" }));
    return { memoryBytes: null, processes: this.#running().length, cpuMs: null, diskBytes };
  }

  async setLimits(limits: Parameters<VmHandle["setLimits"]>[0]): Promise<void> {
    this.#check();
    const limit = DRIVER_LIMIT_NAMES.find((name) => limits[name] !== undefined);
    if (limit === undefined) return;
    const offered = this.limits[limit].enforcement;
    const reason = "the limits of a virtual VM are set at its start";
    throw new AgentOsError("UNSUPPORTED_LIMIT", `${limit}: ${reason}`, { limit, offered, reason });
  }

  onLimit(listener: (hit: LimitHit) => void): () => void {
    // Each call is one subscription, also of the same function.
    const own = (hit: LimitHit): void => listener(hit);
    this.#limitListeners.add(own);
    return () => void this.#limitListeners.delete(own);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "live") {
      const { worker, vm } = this.#options;
      // A script that holds the thread is told by the table, so that the request below gets its turn.
      for (const process of this.#processes.values()) process.close();
      this.#ending = { kind: "ended" };
      // How its last processes ended is told first.
      await nextTurn();
      // Where the worker is gone, its VMs are.
      await worker.call(vm, { op: "end" }).catch(() => undefined);
      this.#end({ kind: "ended" });
    }
    await this.ended;
  }

  #end(ending: VmEnding): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#ending = ending;
    this.#options.worker.vms.delete(this.#options.vm);
    this.#limitListeners.clear();
    this.#processes.clear();
    this.#ended.resolve(ending);
  }

  #running(): VirtualProcess[] {
    return [...this.#processes.values()].filter(({ isRunning }) => isRunning);
  }

  #takeSlot(): number {
    const { worker, limits } = this.#options;
    const most = limits.pids.value ?? Infinity;
    const slot = this.#running().length < most ? worker.signals.take() : undefined;
    if (slot !== undefined) return slot;
    this.#hit({ limit: "pids", value: most });
    throw treeError("EAGAIN", "spawn");
  }

  #remember(processId: string): void {
    this.#usedIds.add(processId);
    const [oldest] = this.#usedIds;
    const isOver = oldest !== undefined && !this.#processes.has(oldest);
    if (this.#usedIds.size > REMEMBERED_IDS && isOver) this.#usedIds.delete(oldest);
  }

  #hit(hit: LimitHit): void {
    for (const listener of this.#limitListeners) listener(hit);
  }

  #check(): void {
    if (this.#state === "ended") throw this.#gone();
  }

  #gone(): AgentOsError<"VM_ENDED"> {
    const { kind, detail } = this.#ending;
    const why = detail === undefined ? "" : `: ${detail}`;
    const message = `the VM ${this.vmId} has ended (${kind})${why}`;
    return new AgentOsError("VM_ENDED", message, { vmId: this.vmId, reason: kind });
  }
}

function infoOf({ pid, request: { argv, processId } }: VirtualProcess): ProcessInfo {
  const ids = { pid, ppid: 1, pgid: pid, sid: pid };
  const command = argv.join(" ").slice(0, SHOWN_COMMAND_CHARACTERS);
  return { ...ids, state: "R", command, cpuMs: 0, rssBytes: 0, processId };
}

function cannotWatch(): AgentOsError<"UNSUPPORTED"> {
  const what = "watching files of a virtual VM";
  const instead = 'fs.stat and fs.readdir now and then, or a VM with driver: "linux"';
  return new AgentOsError("UNSUPPORTED", `${what}: use ${instead}`, { what, instead });
}

function livesOn(): AgentOsError<"UNSUPPORTED"> {
  const what = "a detached process, whose output is logged, in a virtual VM";
  const instead = 'exec or spawn without it, or a VM with driver: "linux"';
  return new AgentOsError("UNSUPPORTED", `${what}: use ${instead}`, { what, instead });
}

function existsAlready(id: string): AgentOsError<"ALREADY_EXISTS"> {
  const message = `process ${id} exists already`;
  return new AgentOsError("ALREADY_EXISTS", message, { kind: "process", id });
}
