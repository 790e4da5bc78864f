import type {
  DriverReport,
  Enforcement,
  DriverLimitName,
  Mount,
  NetworkPolicy,
  OutputMode,
  ProcessInfo,
  ReachedLimitName,
  SecurityProfile,
  TerminalSize,
} from "@agentos/protocol";

import type { FrameSink, LogSource } from "./frame-sink.ts";
import type { VmFiles } from "./vm-files.ts";
import type { VmNetwork } from "./vm-network.ts";
import type { ProcessRequest, VmProcess } from "./vm-process.ts";
import type { AdoptedAttachment, VmTerminals } from "./vm-terminals.ts";

/** A complete specification: every default has been filled in. */
export interface VmRequest {
  vmId: string;
  image: string;
  /** Where the image is, unless it is `host`: what `VmDriver.addImage` said. */
  imageRecord?: VmRecord;
  mounts: readonly Mount[];
  limits: Readonly<Partial<Record<DriverLimitName, number>>>;
  /** These must be hard, or `create` refuses with `UNSUPPORTED_LIMIT`. */
  requiredLimits: readonly DriverLimitName[];
  network: NetworkPolicy;
  security: SecurityProfile;
  /** Its files begin as those of this snapshot: `VmSnapshot.record`. */
  from?: VmRecord;
  /** Its files outlive it: what `VmHandle.disk` said before, or a disk to begin with. */
  disk?: VmRecord | "begin";
}

/** Frozen files of a VM. */
export interface VmSnapshot {
  /** For `VmRequest.from`, and `VmDriver.openSnapshot` in another life of the sidecar: plain JSON, no secret. */
  readonly record: VmRecord;
  /** Resolves, never rejects, once it is where it lasts: false where it was lost on the way. */
  readonly settled: Promise<boolean>;
}

/** Why a VM's PID 1 is gone. */
export interface VmEnding {
  kind: "ended" | "died";
  detail?: string;
}

/** What another life of the sidecar needs to take a VM over: plain JSON, no secret, the driver's own business. */
export type VmRecord = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** A process that was found in an adopted VM. */
export interface AdoptedProcess {
  readonly processId: string;
  readonly output: OutputMode;
  readonly state: "running" | "exited";
  /** Of one on a terminal. */
  readonly terminal?: TerminalSize;
  /** Bytes that an earlier reader has acknowledged: the VM has them no more. */
  readonly acknowledged: { readonly stdout: number; readonly stderr: number };
  /** Bytes that came for its stdin. Undefined where that is no pipe. */
  readonly stdinReceived?: number;
  /** Its streams go on to `sink` once `resume` has said what the reader has. */
  readonly process: VmProcess;
  /** Where the process's frames go; set before `resume`. */
  attach(sink: FrameSink): void;
}

export interface AdoptedVm {
  readonly handle: VmHandle;
  readonly processes: readonly AdoptedProcess[];
  /** Of its terminals. */
  readonly attachments?: readonly AdoptedAttachment[];
}

/** What a VM uses now. `null` where it can't be known here. */
export interface VmUse {
  memoryBytes: number | null;
  processes: number;
  cpuMs: number | null;
  diskBytes: number | null;
}

/** A limit was hit. */
export interface LimitHit {
  limit: ReachedLimitName;
  value: number;
}

/** One live VM. Every effect on it goes through here. Disposing ends it and leaves nothing behind. */
export interface VmHandle extends AsyncDisposable {
  readonly vmId: string;
  readonly isolation: string;
  /** What else stands there, where the machine has it. */
  readonly walls?: readonly string[];
  readonly limits: Readonly<
    Record<DriverLimitName, { value: number | null; enforcement: Enforcement }>
  >;
  /** The environment that every process starts from: PATH, HOME, USER and the like. */
  readonly environment: Readonly<Record<string, string>>;
  readonly files: VmFiles;
  /** Undefined where the driver can't make any. */
  readonly terminals?: VmTerminals;
  /** Undefined where the driver has none. */
  readonly network?: VmNetwork;
  /** Resolves, never rejects, once no process, mount or file of the VM is left. */
  readonly ended: Promise<VmEnding>;
  startProcess(request: ProcessRequest, sink: FrameSink): Promise<VmProcess>;
  /** A reader on a logged process's ring. */
  openLog(
    processId: string,
    from: { stdout: number; stderr: number },
    sink: FrameSink,
  ): Promise<LogSource>;
  processes(): Promise<{ processes: ProcessInfo[]; truncated: boolean }>;
  ping(): Promise<void>;
  /** For `VmDriver.adopt` in another life of the sidecar; undefined where the driver can't. */
  readonly record: VmRecord | undefined;
  /** Where its files are, if they outlive it: for `VmRequest.disk`. */
  readonly disk?: VmRecord | undefined;
  /**
   * Freezes its files as they are now. Its programs stand still for that, and go on. Undefined where the driver
   * can't. Rejects with `SNAPSHOT_FAILED`, and the VM goes on as it was.
   */
  readonly snapshot?: (options: {
    signal: AbortSignal;
    /** Writes down what `record` is from now on: called before the VM's files change place, and after. */
    keep: (record: VmRecord | undefined) => void;
  }) => Promise<VmSnapshot>;
  /** Stops every process of the VM, or lets them go on. */
  freeze(frozen: boolean): Promise<void>;
  /** SIGKILL to every process but PID 1: the files stay. */
  killProcesses(): Promise<void>;
  stats(): Promise<VmUse>;
  /** Changes limits of the live VM: all of these, or none. Rejects with `UNSUPPORTED_LIMIT`, naming the first that can't be changed. */
  setLimits(limits: Readonly<Partial<Record<DriverLimitName, number>>>): Promise<void>;
  /** Tells each hit of a limit, from now on. The result ends it. */
  onLimit(listener: (hit: LimitHit) => void): () => void;
}

/** What isolates VMs: `linux`, `virtual`. */
export interface VmDriver extends AsyncDisposable {
  readonly name: string;
  /** What holds on this machine, found by trying; never throws for a machine that can't. */
  probe(): Promise<DriverReport>;
  /** Rejects with `DRIVER_UNAVAILABLE`, `IMAGE_NOT_FOUND`, `MOUNT_REFUSED`, `UNSUPPORTED_LIMIT` or `VM_START_FAILED`, and nothing of the VM is left. */
  create(request: VmRequest, options: { signal: AbortSignal }): Promise<VmHandle>;
  /** Takes over a VM of an earlier life by its record. Rejects with `VM_ENDED` where it is gone; nothing of it is left then. */
  adopt(request: VmRequest, record: VmRecord, options: { signal: AbortSignal }): Promise<AdoptedVm>;
  /** A snapshot of an earlier life, by its record. Undefined where the driver keeps none. */
  openSnapshot?(record: VmRecord): VmSnapshot;
  /**
   * Takes a root filesystem: a directory of the host, which is used as it is, or an archive of an image, which is
   * unpacked. Rejects with `IMAGE_REFUSED`, and nothing of it is kept. Undefined where the driver has only its own.
   */
  addImage?(name: string, source: string): Promise<VmRecord>;
  /** Removes every snapshot, disk and image but these, and those of its VMs. */
  keepOnly?(records: readonly VmRecord[]): Promise<void>;
}
