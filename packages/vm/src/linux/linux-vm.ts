import { constants } from "node:os";

import type {
  AdoptedProcess,
  AdoptedVm,
  FrameSink,
  LimitHit,
  LogSource,
  ProcessRequest,
  VmEnding,
  VmHandle,
  VmNetwork,
  VmProcess,
  VmRecord,
  VmSnapshot,
  VmUse,
} from "@agentos/core";
import { AgentOsError, DEFAULTS, type ProcessInfo } from "@agentos/protocol";

import type { VmCgroup } from "../cgroup/vm-cgroup.ts";
import { u32, u64 } from "../link/fields.ts";
import type { Link } from "../link/link.ts";
import { LINK_KIND, NETWORK_VERSION } from "../link/link-kinds.ts";
import { readProcessList } from "../link/process-list.ts";
import { Stream } from "../link/stream.ts";
import { StreamCredit } from "../link/stream-credit.ts";
import type { TableEntry } from "../link/table-entry.ts";
import { TableReader } from "../link/table-reader.ts";
import { recordOf } from "./disk/disk-record.ts";
import type { Snapshots } from "./disk/snapshots.ts";
import type { VmDisk } from "./disk/vm-disk.ts";
import { LimitHits } from "./limit-hits.ts";
import { LiveLimits } from "./live-limits.ts";
import { LinuxFiles } from "./linux-files.ts";
import { ATTACHMENT } from "./exec-request.ts";
import { LinuxNetwork } from "./linux-network.ts";
import { LinuxProcess } from "./linux-process.ts";
import { LinuxTerminals } from "./linux-terminals.ts";
import { LINUX_ISOLATION } from "./probe.ts";
import { encodeRecord, type LinuxVmRecord } from "./vm-record.ts";
import type { VmEnd } from "./vm-end.ts";
import { WallTime } from "./wall-time.ts";

const END_MS = 15_000;
const { SIGSTOP, SIGCONT, SIGKILL } = constants.signals;

/** live -> ending -> ended; live -> ended where another sidecar took it over. */
type VmState = "live" | "ending" | "ended";

export interface LinuxVmOptions {
  link: Link;
  limits: VmHandle["limits"];
  environment: VmHandle["environment"];
  cgroup: VmCgroup;
  /** Undefined: its first process could not be looked at. */
  record: LinuxVmRecord | undefined;
  /** Whether another life of the sidecar can take it over. */
  canBeAdopted: boolean;
  linkId: string;
  spawnerPath: string;
  hostId: number | undefined;
  disk: VmDisk;
  snapshots: Snapshots;
  end: VmEnd;
  /** Milliseconds since 1970 at which `wallMs` began. */
  startedAt: number;
  /** Whether the link broke because a later sidecar has the VM. */
  isTakenOver: () => Promise<boolean>;
}

/** A live VM of the linux driver. */
export class LinuxVm implements VmHandle {
  readonly vmId: string;
  readonly isolation = LINUX_ISOLATION;
  readonly environment: VmHandle["environment"];
  readonly files: LinuxFiles;
  readonly terminals: LinuxTerminals;
  readonly network?: VmNetwork;
  readonly ended: Promise<VmEnding>;
  readonly #link: Link;
  readonly #options: LinuxVmOptions;
  readonly #wallTime: WallTime;
  readonly #ended = Promise.withResolvers<VmEnding>();
  readonly #limits: LiveLimits;
  readonly #hits: LimitHits;
  readonly #table: TableReader;
  /** By the client's id, until they are released. */
  readonly #processes = new Map<string, LinuxProcess>();
  #state: VmState = "live";
  #disk: VmDisk;
  /** What was asked for last: a snapshot stops the processes for itself and restores that. */
  #isFrozen = false;
  #snapping: Promise<unknown> = Promise.resolve();
  #ending: VmEnding = { kind: "died" };
  #wasTakenOver = false;

  constructor(options: LinuxVmOptions) {
    const { link, limits, environment, end, startedAt } = options;
    this.vmId = link.vmId;
    const isMemory = options.disk.name === undefined;
    this.#limits = new LiveLimits(options.cgroup, limits, isMemory);
    this.environment = environment;
    this.files = new LinuxFiles(link);
    const { cgroup } = options;
    this.#hits = new LimitHits({ cgroup, limits: this.#limits, files: this.files });
    this.terminals = new LinuxTerminals(link, (id) => this.#processes.get(id)?.stream);
    if (link.version >= NETWORK_VERSION) this.network = new LinuxNetwork(link);
    this.#disk = options.disk;
    this.ended = this.#ended.promise;
    this.#link = link;
    this.#table = new TableReader(link);
    this.#options = options;
    this.#wallTime = new WallTime(limits.wallMs.value, startedAt, (ms) => this.#wallTimeOver(ms));
    void link.closed.then((error) => this.#lost(error.details.reason));
    void end.gone.then(() => this.#gone());
  }

  /** Whether it lives on with another sidecar. */
  get wasTakenOver(): boolean {
    return this.#wasTakenOver;
  }

  get limits(): VmHandle["limits"] {
    return this.#limits.states;
  }

  async setLimits(limits: Parameters<VmHandle["setLimits"]>[0]): Promise<void> {
    await this.#limits.change(limits);
  }

  get record(): VmRecord | undefined {
    const { record, canBeAdopted } = this.#options;
    return record && canBeAdopted ? encodeRecord({ ...record, disk: this.#disk }) : undefined;
  }

  get disk(): VmRecord | undefined {
    const { name, keepers } = this.#disk;
    if (name === undefined) return undefined;
    // Its own generations are found in its directory.
    const layers = (this.#disk.layers ?? []).filter((layer) => !layer.startsWith(`${name}-`));
    return recordOf({ version: 1, disk: name, layers, keepers, hostId: this.#options.hostId });
  }

  /** What it stands on, for whoever removes layers. */
  get standsOn(): VmDisk {
    return this.#disk;
  }

  async snapshot(options: {
    signal: AbortSignal;
    keep: (record: VmRecord | undefined) => void;
  }): Promise<VmSnapshot> {
    const turn = this.#snapping.then(() => this.#snapshot(options));
    this.#snapping = turn.catch(() => undefined);
    return await turn;
  }

  async startProcess(request: ProcessRequest, sink: FrameSink): Promise<VmProcess> {
    try {
      const started = await LinuxProcess.start(this.#link, request, sink, this.#hits.explain);
      this.#keep(started);
      return started;
    } catch (error) {
      this.#hits.startFailed(error);
      throw error;
    }
  }

  /** What an adopted VM's table lists. */
  adopt(table: readonly TableEntry[]): Pick<AdoptedVm, "processes" | "attachments"> {
    const entries = table.filter((entry) => !isAttachment(entry));
    const processes = entries.map((entry): AdoptedProcess => {
      const adopted = LinuxProcess.adopt(this.#link, entry, this.#hits.explain);
      this.#keep(adopted.process);
      return adopted;
    });
    return { processes, attachments: this.terminals.adopt(table.filter(isAttachment), entries) };
  }

  async openLog(
    processId: string,
    from: { stdout: number; stderr: number },
    sink: FrameSink,
  ): Promise<LogSource> {
    const process = this.#processes.get(processId);
    if (process === undefined) throw unknownProcess(processId);
    const table = await this.#table.read();
    const entry = table.find(({ stream }) => stream === process.stream);
    const written = entry && { stdout: entry.stdout.produced, stderr: entry.stderr.produced };
    const windowBytes = DEFAULTS.streamWindowBytes;
    const credit = new StreamCredit({ windowBytes, stdinWindowBytes: 0, gaps: true, from });
    const reader = new Stream(this.#link, sink, credit, {});
    const payload = [u32(process.stream), u64(from.stdout), u64(from.stderr), u32(windowBytes)];
    this.#link.send(LINK_KIND.readLog, reader.number, Buffer.concat(payload));
    return Object.assign(reader, { written });
  }

  async processes(urgent = false): Promise<{ processes: ProcessInfo[]; truncated: boolean }> {
    const reply = await this.#link.request({
      kind: LINK_KIND.processes,
      answer: LINK_KIND.processList,
      operation: "processes",
      urgent,
    });
    if (!reply.ok) throw refusedRequest("processes", reply.failure.errno.name);
    const list = readProcessList(reply.payload);
    const running = [...this.#processes].filter(([, process]) => !process.hasExited);
    const ids = new Map(running.map(([id, process]) => [process.pid, id]));
    const processes = list.processes.map((info) => {
      const processId = ids.get(info.pid);
      return processId === undefined ? info : { ...info, processId };
    });
    return { processes, truncated: list.truncated };
  }

  async ping(urgent = false): Promise<void> {
    const reply = await this.#link.request({
      kind: LINK_KIND.ping,
      answer: LINK_KIND.pong,
      operation: "ping",
      urgent,
    });
    if (!reply.ok) throw refusedRequest("ping", reply.failure.errno.name);
  }

  async freeze(frozen: boolean): Promise<void> {
    this.#isFrozen = frozen;
    await this.#freeze(frozen);
  }

  async #freeze(frozen: boolean): Promise<void> {
    const { freeze } = this.#options.cgroup;
    if (freeze === undefined) await this.#signalAll(frozen ? SIGSTOP : SIGCONT);
    else await freeze(frozen);
  }

  async killProcesses(): Promise<void> {
    await this.#signalAll(SIGKILL);
  }

  async stats(): Promise<VmUse> {
    const [use, diskBytes, { processes, truncated }] = await Promise.all([
      this.#options.cgroup.read(),
      this.#hits.diskBytes(),
      this.processes(),
    ]);
    return {
      // Without a cgroup: more than the truth, as what processes share is counted for each.
      memoryBytes: use.memoryBytes ?? processes.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
      // The cgroup counts the launcher, too, while the VM begins.
      processes: (truncated ? use.processes : null) ?? processes.length,
      cpuMs: use.cpuMs,
      diskBytes,
    };
  }

  onLimit(listener: (hit: LimitHit) => void): () => void {
    return this.#hits.listen(listener);
  }

  /** Rejects with `DEADLINE_EXCEEDED` where the VM is not gone in time; `ended` goes on waiting. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end({ kind: "ended" });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(notGone(this.vmId)), END_MS);
    try {
      await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #keep(process: LinuxProcess): void {
    const { processId } = process;
    this.#processes.set(processId, process);
    process.onReleased(() => {
      if (this.#processes.get(processId) === process) this.#processes.delete(processId);
    });
  }

  /** Resolves once every process has it. */
  async #signalAll(signal: number): Promise<void> {
    if (this.#link.endedBy !== undefined) throw this.#link.endedBy;
    this.#link.signalAll(signal);
    await this.ping(true);
  }

  /** Nothing begins and nothing runs in the VM meanwhile. */
  async #snapshot({ signal, keep }: Parameters<LinuxVm["snapshot"]>[0]): Promise<VmSnapshot> {
    if (this.#link.endedBy !== undefined) throw this.#link.endedBy;
    signal.throwIfAborted();
    const { snapshots, linkId, spawnerPath, hostId } = this.#options;
    const before = this.#disk;
    let stopped = false;
    this.#link.hold();
    try {
      const { processes } = await this.processes(true);
      stopped = processes.length > 1 && !this.#isFrozen;
      if (stopped) await this.#freeze(true);
      this.#disk = { ...before, layers: undefined };
      keep(this.record);
      this.#disk = before;
      const subject = { vmId: this.vmId, linkId, spawnerPath, hostId, disk: before };
      const { snapshot, disk } = await snapshots.take(subject);
      this.#disk = disk;
      return snapshot;
    } finally {
      this.#link.unhold();
      if (this.#state === "live") {
        keep(this.record);
        if (stopped && !this.#isFrozen) await this.#freeze(false);
      }
    }
  }

  /** Ends the VM unless that is under way. */
  async #end(ending: VmEnding): Promise<void> {
    if (this.#state !== "live") return;
    this.#state = "ending";
    this.#ending = ending;
    this.#link.end(ending.detail ?? (ending.kind === "ended" ? "it was ended" : "it died"));
    await this.#options.end.kill();
  }

  async #lost(reason: string): Promise<void> {
    if (this.#state !== "live") return;
    const takenOver = this.#link.wasClosedByPeer && (await this.#options.isTakenOver());
    if (takenOver && this.#state === "live") {
      this.#wasTakenOver = true;
      this.#ending = { kind: "died", detail: "another sidecar took it over" };
      this.#gone();
      return;
    }
    // A failed kill shows in `ended`, which waits for the VM to be gone.
    await this.#end({ kind: "died", detail: reason }).catch(() => {});
  }

  #gone(): void {
    if (this.#state === "ended") return;
    const ending = this.#ending;
    this.#state = "ended";
    this.#wallTime.stop();
    this.#hits.clear();
    this.#link.end("its first process ended");
    this.#processes.clear();
    this.#ended.resolve(ending);
  }

  #wallTimeOver(value: number): void {
    this.#hits.tell({ limit: "wallMs", value });
    void this.#end({ kind: "ended", detail: "its wallMs passed" }).catch(() => {});
  }
}

function isAttachment({ flags }: TableEntry): boolean {
  return (flags & ATTACHMENT) !== 0;
}

function unknownProcess(id: string): AgentOsError<"NOT_FOUND"> {
  return new AgentOsError("NOT_FOUND", `no process ${id} in this VM`, { kind: "process", id });
}

function refusedRequest(operation: string, errno: string): AgentOsError<"INTERNAL"> {
  return new AgentOsError("INTERNAL", `the VM refused ${operation}: ${errno}`, { reason: errno });
}

function notGone(vmId: string): AgentOsError<"DEADLINE_EXCEEDED"> {
  return new AgentOsError(
    "DEADLINE_EXCEEDED",
    `expected VM ${vmId} to be gone within ${END_MS} ms`,
    { operation: "vm.dispose", deadlineMs: END_MS },
  );
}
