import type {
  FrameSink,
  AdoptedProcess,
  FrameSource,
  LimitHit,
  ProcessRequest,
  VmEnding,
  VmHandle,
  VmProcess,
  VmRecord,
  VmRequest,
  VmUse,
} from "@agentos/core";
import {
  AgentOsError,
  type Enforcement,
  DRIVER_LIMIT_NAMES,
  type DriverLimitName,
  type ProcessInfo,
} from "@agentos/protocol";

import type { Losable } from "./fake-file-streams.ts";
import { FakeFiles } from "./fake-files.ts";
import { FakeLogReader } from "./fake-log-reader.ts";
import { FakeNetwork } from "./fake-network.ts";
import { FakeProcess } from "./fake-process.ts";
import type { FakeProgram } from "./fake-program.ts";
import { fileError } from "./file-error.ts";
import { LoggedOutput } from "./logged-output.ts";

const FIRST_STREAM = 70_000;

type State = "running" | "ended";

export interface FakeVmOptions {
  readonly request: VmRequest;
  readonly programs: Readonly<Record<string, FakeProgram>>;
  readonly enforcement: Enforcement;
}

/** A VM in memory. Its processes are scripted functions; its streams speak genuine frames. */
export class FakeVm implements VmHandle {
  readonly vmId: string;
  readonly isolation = "none (fake)";
  readonly request: VmRequest;
  limits: Readonly<Record<DriverLimitName, { value: number | null; enforcement: Enforcement }>>;
  readonly environment = { PATH: "/bin", HOME: "/home/agent", USER: "agent" };
  readonly files: FakeFiles;
  readonly network: FakeNetwork;
  readonly ended: Promise<VmEnding>;
  readonly record: VmRecord;
  readonly #programs: Readonly<Record<string, FakeProgram>>;
  readonly #processes = new Map<string, FakeProcess>();
  readonly #usedIds = new Set<string>();
  readonly #streams = new Set<Losable>();
  readonly #ending = Promise.withResolvers<VmEnding>();
  readonly #limitListeners = new Set<(hit: LimitHit) => void>();
  #isFrozen = false;
  #state: State = "running";
  #nextStream = FIRST_STREAM;
  #nextPid = 2;

  constructor(options: FakeVmOptions) {
    this.vmId = options.request.vmId;
    this.request = options.request;
    this.record = { fakeVmId: this.vmId };
    this.ended = this.#ending.promise;
    this.#programs = options.programs;
    this.limits = limitsOf(options);
    this.files = new FakeFiles({
      check: () => this.#check(),
      nextStream: () => this.#nextStream++,
      track: (stream) => this.#streams.add(stream),
    });
    this.network = new FakeNetwork({
      vmId: this.vmId,
      check: () => this.#check(),
      nextStream: () => this.#nextStream++,
      track: (stream) => this.#streams.add(stream),
      untrack: (stream) => this.#streams.delete(stream),
    });
    for (const path of ["/workspace", "/home/agent", "/tmp", "/bin"]) {
      this.files.tree.makeDirectories(path);
    }
    for (const { target } of options.request.mounts) this.files.tree.makeDirectories(target);
    for (const name of Object.keys(options.programs)) {
      this.files.tree.writeText(`/bin/${name}`, "a fake program\n", 0o755);
    }
  }

  /** Processes that run, for tests. */
  get running(): readonly FakeProcess[] {
    return [...this.#processes.values()].filter((process) => process.isRunning);
  }

  async startProcess(request: ProcessRequest, sink: FrameSink): Promise<VmProcess> {
    this.#check();
    const { processId: id, cwd } = request;
    if (this.#usedIds.has(id)) {
      const message = `the process ${id} exists already`;
      throw new AgentOsError("ALREADY_EXISTS", message, { kind: "process", id });
    }
    if (this.files.tree.get(cwd, "chdir").type !== "directory") {
      throw fileError("ENOTDIR", "chdir", cwd);
    }
    const process = new FakeProcess({
      request,
      program: this.#programOf(request.argv[0] ?? ""),
      files: this.files.tree,
      sink,
      stream: this.#nextStream++,
      pid: this.#nextPid++,
      onRelease: () => this.#processes.delete(id),
    });
    this.#usedIds.add(id);
    this.#processes.set(id, process);
    this.#streams.add(process);
    return process;
  }

  async openLog(
    processId: string,
    from: { stdout: number; stderr: number },
    sink: FrameSink,
  ): Promise<FrameSource> {
    this.#check();
    const process = this.#processes.get(processId);
    if (process === undefined) {
      const details = { kind: "process", id: processId };
      throw new AgentOsError("NOT_FOUND", `no process ${processId}`, details);
    }
    const { stdout, stderr } = process;
    if (!(stdout instanceof LoggedOutput) || !(stderr instanceof LoggedOutput)) {
      throw invalid("processId", "a logged process", "a piped one");
    }
    if (from.stdout > stdout.total || from.stderr > stderr.total) {
      throw invalid("from", "offsets of bytes that were written", JSON.stringify(from));
    }
    const stream = this.#nextStream++;
    const reader = new FakeLogReader({ stdout, stderr, from, sink, stream });
    this.#streams.add(reader);
    return reader;
  }

  async processes(): Promise<{ processes: ProcessInfo[]; truncated: boolean }> {
    this.#check();
    const ids = { pid: 1, ppid: 0, pgid: 1, sid: 1 };
    const init = { ...ids, state: "S", command: "vmd", cpuMs: 0, rssBytes: 0 };
    return { processes: [init, ...this.running.map((process) => process.info)], truncated: false };
  }

  async ping(): Promise<void> {
    this.#check();
  }

  /** Whether `freeze` was the last word; fake programs run on. */
  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  async freeze(frozen: boolean): Promise<void> {
    this.#check();
    this.#isFrozen = frozen;
  }

  async killProcesses(): Promise<void> {
    this.#check();
    for (const process of this.running) process.signal("SIGKILL", "process");
  }

  async stats(): Promise<VmUse> {
    this.#check();
    return { memoryBytes: 0, processes: 1 + this.running.length, cpuMs: 0, diskBytes: 0 };
  }

  async setLimits(changes: Readonly<Partial<Record<DriverLimitName, number>>>): Promise<void> {
    const changed = DRIVER_LIMIT_NAMES.flatMap((name) => {
      const value = changes[name];
      return value === undefined ? [] : [[name, { ...this.limits[name], value }] as const];
    });
    this.limits = { ...this.limits, ...Object.fromEntries(changed) };
  }

  onLimit(listener: (hit: LimitHit) => void): () => void {
    const own = (hit: LimitHit): void => listener(hit);
    this.#limitListeners.add(own);
    return () => void this.#limitListeners.delete(own);
  }

  /** Makes the VM hit a limit. */
  hitLimit(hit: LimitHit): void {
    for (const listener of this.#limitListeners) listener(hit);
  }

  /** What a driver of another life finds here: every process, detached until somebody resumes it. */
  adopt(): AdoptedProcess[] {
    this.#check();
    this.network.detach();
    return [...this.#processes].map(([processId, process]) => {
      process.attach({ frame() {}, closed() {} });
      return {
        processId,
        output: process.request.output,
        state: process.isRunning ? "running" : "exited",
        ...process.offsets,
        process,
        attach: (sink) => process.attach(sink),
      };
    });
  }

  /** PID 1 is gone all of a sudden. */
  die(detail = "killed"): void {
    this.#end({ kind: "died", detail });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end({ kind: "ended" });
    await this.ended;
  }

  #end(ending: VmEnding): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    const reason = this.#gone();
    for (const stream of this.#streams) stream.lose(reason);
    this.#streams.clear();
    this.#processes.clear();
    this.#ending.resolve(ending);
  }

  #check(): void {
    if (this.#state === "ended") throw this.#gone();
  }

  #gone(): AgentOsError {
    const details = { vmId: this.vmId, reason: "ended" };
    return new AgentOsError("VM_ENDED", `the VM ${this.vmId} has ended`, details);
  }

  #programOf(command: string): FakeProgram {
    const name = command.startsWith("/bin/") ? command.slice("/bin/".length) : command;
    if (Object.hasOwn(this.#programs, name)) {
      const program = this.#programs[name];
      if (program !== undefined) return program;
    }
    if (command.startsWith("/") && this.files.tree.locate(command, "exec").node !== undefined) {
      const details = { command, exitCode: 126, errno: "EACCES" } as const;
      throw new AgentOsError("COMMAND_NOT_EXECUTABLE", `${command}: not executable`, details);
    }
    const details = { command, exitCode: 127 } as const;
    throw new AgentOsError("COMMAND_NOT_FOUND", `${command}: command not found`, details);
  }
}

function limitsOf({ request, enforcement }: FakeVmOptions): FakeVm["limits"] {
  const of = (name: DriverLimitName): { value: number | null; enforcement: Enforcement } => ({
    value: request.limits[name] ?? null,
    enforcement,
  });
  const [memoryBytes, cpus, pids, diskBytes, openFiles, watches, wallMs] = DRIVER_LIMIT_NAMES;
  return {
    memoryBytes: of(memoryBytes),
    cpus: of(cpus),
    pids: of(pids),
    diskBytes: of(diskBytes),
    openFiles: of(openFiles),
    watches: of(watches),
    wallMs: of(wallMs),
  };
}

function invalid(argument: string, expected: string, actual: string): AgentOsError {
  const message = `${argument}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
