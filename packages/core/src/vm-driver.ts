import type {
  DriverReport,
  Enforcement,
  LimitName,
  Mount,
  NetworkPolicy,
  ProcessInfo,
} from "@agentos/protocol";

import type { FrameSink, FrameSource } from "./frame-sink.ts";
import type { VmFiles } from "./vm-files.ts";
import type { ProcessRequest, VmProcess } from "./vm-process.ts";

/** A complete specification: every default has been filled in. */
export interface VmRequest {
  vmId: string;
  image: string;
  mounts: readonly Mount[];
  limits: Readonly<Partial<Record<LimitName, number>>>;
  /** These must be hard, or `create` refuses with `UNSUPPORTED_LIMIT`. */
  requiredLimits: readonly LimitName[];
  network: NetworkPolicy;
}

/** Why a VM's PID 1 is gone. */
export interface VmEnding {
  kind: "ended" | "died";
  detail?: string;
}

/** One live VM. Every effect on it goes through here. Disposing ends it and leaves nothing behind. */
export interface VmHandle extends AsyncDisposable {
  readonly vmId: string;
  readonly isolation: string;
  readonly limits: Readonly<Record<LimitName, { value: number | null; enforcement: Enforcement }>>;
  /** The environment that every process starts from: PATH, HOME, USER and the like. */
  readonly environment: Readonly<Record<string, string>>;
  readonly files: VmFiles;
  /** Resolves, never rejects, once no process, mount or file of the VM is left. */
  readonly ended: Promise<VmEnding>;
  startProcess(request: ProcessRequest, sink: FrameSink): Promise<VmProcess>;
  /** A reader on a logged process's ring. */
  openLog(
    processId: string,
    from: { stdout: number; stderr: number },
    sink: FrameSink,
  ): Promise<FrameSource>;
  processes(): Promise<{ processes: ProcessInfo[]; truncated: boolean }>;
  ping(): Promise<void>;
}

/** What isolates VMs: `linux`, `virtual`. */
export interface VmDriver extends AsyncDisposable {
  readonly name: string;
  /** What holds on this machine, found by trying; never throws for a machine that can't. */
  probe(): Promise<DriverReport>;
  /** Rejects with `DRIVER_UNAVAILABLE`, `IMAGE_NOT_FOUND`, `MOUNT_REFUSED`, `UNSUPPORTED_LIMIT` or `VM_START_FAILED`, and nothing of the VM is left. */
  create(request: VmRequest, options: { signal: AbortSignal }): Promise<VmHandle>;
}
