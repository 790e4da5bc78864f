import { constants } from "node:os";

import type {
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
import { AgentOsError, type ProcessInfo } from "@agentos/protocol";

import type { VmCgroup } from "../cgroup/vm-cgroup.ts";
import type { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import type { TableEntry } from "../link/table-entry.ts";
import { adjustVm } from "./adjust-vm.ts";
import { DiskUse } from "./disk/disk-use.ts";
import type { Snapshots } from "./disk/snapshots.ts";
import type { VmDisk } from "./disk/vm-disk.ts";
import { refusedRequest } from "./driver-errors.ts";
import { ATTACHMENT } from "./exec-request.ts";
import { LimitHits } from "./limit-hits.ts";
import { LinuxFiles } from "./linux-files.ts";
import { LinuxNetwork } from "./linux-network.ts";
import { LinuxProcesses } from "./linux-processes.ts";
import { LinuxTerminals } from "./linux-terminals.ts";
import { LiveDisk } from "./live-disk.ts";
import { LiveLimits } from "./live-limits.ts";
import { LINUX_ISOLATION } from "./probe.ts";
import type { VmEnd } from "./vm-end.ts";
import { encodeRecord, type LinuxVmRecord } from "./vm-record.ts";
import { WallTime } from "./wall-time.ts";
import { wallNames } from "./walls.ts";

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
  readonly network: VmNetwork;
  readonly walls: readonly string[];
  readonly ended: Promise<VmEnding>;
  readonly #link: Link;
  readonly #options: LinuxVmOptions;
  readonly #wallTime: WallTime;
  readonly #ended = Promise.withResolvers<VmEnding>();
  readonly #limits: LiveLimits;
  readonly #hits: LimitHits;
  readonly #processes: LinuxProcesses;
  readonly #disk: LiveDisk;
  #state: VmState = "live";
  #ending: VmEnding = { kind: "died" };
  #wasTakenOver = false;

  constructor(options: LinuxVmOptions) {
    const { link, limits, environment, end, startedAt } = options;
    this.vmId = link.vmId;
    const isMemory = options.disk.name === undefined;
    this.#limits = new LiveLimits({
      cgroup: options.cgroup,
      start: limits,
      hasMemoryDisk: isMemory,
      hasLayers: () => this.#disk.now.layers?.length !== 0,
      adjust: (adjustment) => adjustVm(options, adjustment),
    });
    this.environment = environment;
    this.files = new LinuxFiles(link);
    const { cgroup, snapshots, hostId } = options;
    const { name } = options.disk;
    const counted =
      name === undefined ? undefined : new DiskUse(() => snapshots.directoryOf(name, hostId));
    const hitParts = { cgroup, limits: this.#limits, files: this.files, disk: counted };
    this.#hits = new LimitHits(hitParts);
    const processes = new LinuxProcesses(link, this.#hits);
    this.#processes = processes;
    this.terminals = new LinuxTerminals(link, (id) => processes.streamOf(id));
    this.network = new LinuxNetwork(link);
    this.walls = wallNames(link.walls);
    this.#disk = new LiveDisk({
      ...options,
      freeze: (frozen) => this.#freeze(frozen),
      hasProcesses: async () => (await this.processes(true)).processes.length > 1,
      isLive: () => this.#state === "live",
      vmRecord: (disk) => this.#recordWith(disk),
    });
    this.ended = this.#ended.promise;
    this.#link = link;
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
    return this.#recordWith(this.#disk.now);
  }

  get disk(): VmRecord | undefined {
    return this.#disk.record;
  }

  /** What it stands on, for whoever removes layers. */
  get standsOn(): VmDisk {
    return this.#disk.now;
  }

  async snapshot(options: Parameters<LiveDisk["snapshot"]>[0]): Promise<VmSnapshot> {
    return await this.#disk.snapshot(options);
  }

  async startProcess(request: ProcessRequest, sink: FrameSink): Promise<VmProcess> {
    return await this.#processes.start(request, sink);
  }

  /** What an adopted VM's table lists. */
  adopt(table: readonly TableEntry[]): Pick<AdoptedVm, "processes" | "attachments"> {
    const entries = table.filter((entry) => !isAttachment(entry));
    const processes = this.#processes.adopt(entries);
    return { processes, attachments: this.terminals.adopt(table.filter(isAttachment), entries) };
  }

  async openLog(
    processId: string,
    from: { stdout: number; stderr: number },
    sink: FrameSink,
  ): Promise<LogSource> {
    return await this.#processes.openLog(processId, from, sink);
  }

  async processes(urgent = false): Promise<{ processes: ProcessInfo[]; truncated: boolean }> {
    return await this.#processes.list(urgent);
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
    await this.#disk.freeze(frozen);
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

  #recordWith(disk: VmDisk): VmRecord | undefined {
    const { record, canBeAdopted } = this.#options;
    return record && canBeAdopted ? encodeRecord({ ...record, disk }) : undefined;
  }

  async #freeze(frozen: boolean): Promise<void> {
    const { freeze } = this.#options.cgroup;
    if (freeze === undefined) await this.#signalAll(frozen ? SIGSTOP : SIGCONT);
    else await freeze(frozen);
  }

  /** Resolves once every process has it. */
  async #signalAll(signal: number): Promise<void> {
    if (this.#link.endedBy !== undefined) throw this.#link.endedBy;
    this.#link.signalAll(signal);
    await this.ping(true);
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

function notGone(vmId: string): AgentOsError<"DEADLINE_EXCEEDED"> {
  return new AgentOsError(
    "DEADLINE_EXCEEDED",
    `expected VM ${vmId} to be gone within ${END_MS} ms`,
    { operation: "vm.dispose", deadlineMs: END_MS },
  );
}
