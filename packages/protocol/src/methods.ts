import * as z from "zod";

import {
  ChmodParams,
  CopyParams,
  MkdirParams,
  PathParams,
  PathResult,
  ReaddirParams,
  ReadParams,
  RenameParams,
  RmParams,
  StatResult,
  TreeParams,
  WatchParams,
  SymlinkParams,
  TruncateParams,
  WriteParams,
  WriteResult,
} from "./file.ts";
import { AuthenticateParams, AuthenticateResult } from "./handshake.ts";
import { Fence, Id, StreamId, VmId, VmName } from "./ids.ts";
import {
  ChannelBytes,
  ProcessExit,
  ProcessInfo,
  ProcessStart,
  ProcessStarted,
  ProcessSummary,
  Signal,
  SignalScope,
} from "./process.ts";
import { NETWORK_METHODS } from "./network-methods.ts";
import { RELAY_METHODS } from "./relay/relay-methods.ts";
import { ImageAdd, ImageInfo } from "./image.ts";
import { SESSION_METHODS } from "./session/session-methods.ts";
import { SidecarInfo } from "./sidecar.ts";
import { SnapshotCreate, SnapshotInfo, SnapshotRef } from "./snapshot.ts";
import {
  TerminalAttach,
  TerminalAttached,
  TerminalInfo,
  TerminalOpen,
  TerminalRef,
  TerminalSize,
} from "./terminal.ts";
import { WORKFLOW_METHODS } from "./workflow/workflow-methods.ts";
import { LimitChanges, Lease, LeasedVm, VmInfo, VmScope, VmSpec, VmStats } from "./vm.ts";

const Nothing = z.object({});
const ProcessRef = VmScope.extend({ processId: Id });

/**
 * Every method of the wire. `scope` is what the caller must hold; `summary` goes into
 * docs/protocol.md. Both ends take types and validation from here.
 */
export const METHODS = {
  authenticate: {
    scope: "connection",
    summary:
      "First request of a connection: agree on a version, get the connection's id and bounds.",
    params: AuthenticateParams,
    result: AuthenticateResult,
  },
  ping: {
    scope: "connection",
    summary: "A round trip.",
    params: Nothing,
    result: Nothing,
  },
  "sidecar.info": {
    scope: "user",
    summary: "What the sidecar is, hosts and can do.",
    params: Nothing,
    result: SidecarInfo,
  },
  "sidecar.keep": {
    scope: "user",
    summary: "Keep the sidecar running without leases, or let it end itself again.",
    params: z.object({ keep: z.boolean() }),
    result: Nothing,
  },
  "sidecar.shutdown": {
    scope: "user",
    summary: "End every VM, then the sidecar.",
    params: Nothing,
    result: Nothing,
  },
  "key.create": {
    scope: "user",
    summary: "A further API key. Only the sidecar's own key may name another user.",
    params: z.object({
      /** Default: the caller's own user. */
      user: z
        .string()
        .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/)
        .optional(),
      /** The key stops working after this. Absent: it lives as long as the sidecar. */
      ttlMs: z.int().min(1).optional(),
    }),
    result: z.object({ keyId: Id, apiKey: z.string(), user: z.string() }),
  },
  "key.revoke": {
    scope: "user",
    summary: "End a key of the caller's user, and every connection that it opened.",
    params: z.object({ keyId: Id }),
    result: Nothing,
  },
  "vm.create": {
    scope: "user",
    summary: "Make a VM and lease it. The same vmId again gives the same VM.",
    params: VmSpec.extend({ leaseId: Id }),
    result: LeasedVm,
  },
  "vm.attach": {
    scope: "user",
    summary: "Another lease on a VM by id or name: shared (same fence) or takeover (fence + 1).",
    params: z.object({
      vm: z.string().min(1).max(64),
      leaseId: Id,
      mode: z.enum(["shared", "takeover"]),
    }),
    result: LeasedVm,
  },
  "vm.end": {
    scope: "user",
    summary:
      "End a VM by id or name, with its files, whoever holds it. With a fence: only where that is current. Ended already: nothing happens.",
    params: z.object({ vm: z.string().min(1).max(64), fence: Fence.optional() }),
    /** `ended` false: it had ended before. */
    result: z.object({ vmId: VmId, ended: z.boolean() }),
  },
  "vm.list": {
    scope: "user",
    summary: "The user's VMs.",
    params: Nothing,
    result: z.object({ vms: z.array(VmInfo) }),
  },
  "vm.info": {
    scope: "vm",
    summary: "One VM.",
    params: VmScope,
    result: VmInfo,
  },
  "vm.stats": {
    scope: "vm",
    summary: "What the VM uses now.",
    params: VmScope,
    result: VmStats,
  },
  "vm.setLimits": {
    scope: "vm",
    summary:
      "Change limits of the live VM: all of these, or none. What can't be changed is UNSUPPORTED_LIMIT, by name.",
    params: VmScope.extend({ limits: LimitChanges }),
    result: VmInfo,
  },
  "vm.processes": {
    scope: "vm",
    summary: "Every process in the VM.",
    params: VmScope,
    result: z.object({ processes: z.array(ProcessInfo), truncated: z.boolean() }),
  },
  "snapshot.create": {
    scope: "vm",
    summary:
      "Freeze the VM's files as they are now. Its programs stand still meanwhile. The same snapshotId again gives the same snapshot.",
    params: SnapshotCreate,
    result: SnapshotInfo,
  },
  "snapshot.list": {
    scope: "user",
    summary: "The user's snapshots.",
    params: Nothing,
    result: z.object({ snapshots: z.array(SnapshotInfo) }),
  },
  "snapshot.remove": {
    scope: "user",
    summary: "Remove a snapshot by name or id. Refused while a VM that started from it lives.",
    params: z.object({ snapshot: SnapshotRef }),
    result: z.object({ snapshotId: Id }),
  },
  "image.add": {
    scope: "user",
    summary: "Take a root filesystem under a name: a directory, or an archive, which is unpacked.",
    params: ImageAdd,
    result: ImageInfo,
  },
  "image.list": {
    scope: "user",
    summary: "The images that the user's VMs can begin with.",
    params: Nothing,
    result: z.object({ images: z.array(ImageInfo) }),
  },
  "image.remove": {
    scope: "user",
    summary: "Forget an image, and remove what was unpacked. Refused while something stands on it.",
    params: z.object({ name: VmName }),
    result: Nothing,
  },
  "lease.release": {
    scope: "lease",
    summary: "Give a lease back. With the last one an unnamed VM ends.",
    params: z.object({ leaseId: Id, vmId: VmId }),
    result: Nothing,
  },
  "lease.resume": {
    scope: "user",
    summary: "Hold a lease of a lost connection on this one.",
    params: z.object({ leaseId: Id, vmId: VmId, fence: Fence }),
    result: Lease,
  },
  "process.exec": {
    scope: "vm",
    summary: "Start a process; answered when it ends. Its bytes travel on `stream`.",
    params: ProcessStart,
    result: ProcessExit,
  },
  "process.spawn": {
    scope: "vm",
    summary: "Start a process; answered when it runs. `process.exited` tells its end.",
    params: ProcessStart,
    result: ProcessStarted,
  },
  "process.signal": {
    scope: "vm",
    summary: "Send a signal to a process, its group or every process of its session.",
    params: ProcessRef.extend({ signal: Signal, scope: SignalScope.optional() }),
    result: Nothing,
  },
  "process.release": {
    scope: "vm",
    summary: "Forget a process and its held output. It runs on; what it still writes is dropped.",
    params: ProcessRef,
    result: Nothing,
  },
  "process.list": {
    scope: "vm",
    summary: "The processes started through AgentOS, with the ends of those not released.",
    params: VmScope,
    result: z.object({ processes: z.array(ProcessSummary) }),
  },
  "process.log": {
    scope: "vm",
    summary:
      "Read a logged process's output on `stream`, from offsets; gaps are jumps of the offset.",
    params: ProcessRef.extend({
      stream: StreamId,
      stdoutFrom: z.int().min(0).optional(),
      stderrFrom: z.int().min(0).optional(),
    }),
    /** `written`: bytes of each channel when it was opened. */
    result: ProcessSummary.extend({ written: ChannelBytes.optional() }),
  },
  "terminal.open": {
    scope: "vm",
    summary: "Start a process on a terminal of its own. `process.exited` tells its end.",
    params: TerminalOpen,
    result: TerminalInfo,
  },
  "terminal.attach": {
    scope: "vm",
    summary: "Read a terminal's output, or write its input, on `stream`. Many may.",
    params: TerminalAttach,
    result: TerminalAttached,
  },
  "terminal.resize": {
    scope: "vm",
    summary: "Set a terminal's size. What runs in it gets SIGWINCH.",
    params: TerminalRef.extend(TerminalSize.shape),
    result: Nothing,
  },
  "terminal.info": {
    scope: "vm",
    summary: "One terminal.",
    params: TerminalRef,
    result: TerminalInfo,
  },
  "terminal.list": {
    scope: "user",
    summary: "The terminals of the user's VMs.",
    params: Nothing,
    result: z.object({ terminals: z.array(TerminalInfo) }),
  },
  "stream.close": {
    scope: "vm",
    summary:
      "Stop a file stream, a log reader, a terminal's attachment or a connection to a program of this connection.",
    params: VmScope.extend({ stream: StreamId }),
    result: Nothing,
  },
  "fs.stat": {
    scope: "vm",
    summary: "A file's facts, links followed.",
    params: PathParams,
    result: StatResult,
  },
  "fs.lstat": {
    scope: "vm",
    summary: "A file's facts, a link's own.",
    params: PathParams,
    result: StatResult,
  },
  "fs.mkdir": { scope: "vm", summary: "Make a directory.", params: MkdirParams, result: Nothing },
  "fs.rm": { scope: "vm", summary: "Remove a file or a tree.", params: RmParams, result: Nothing },
  "fs.rename": {
    scope: "vm",
    summary: "Rename within one filesystem.",
    params: RenameParams,
    result: Nothing,
  },
  "fs.copy": {
    scope: "vm",
    summary: "Copy a file or a tree.",
    params: CopyParams,
    result: Nothing,
  },
  "fs.symlink": {
    scope: "vm",
    summary: "Make a symbolic link.",
    params: SymlinkParams,
    result: Nothing,
  },
  "fs.readlink": {
    scope: "vm",
    summary: "What a link says.",
    params: PathParams,
    result: PathResult,
  },
  "fs.realpath": {
    scope: "vm",
    summary: "The path with every link resolved.",
    params: PathParams,
    result: PathResult,
  },
  "fs.chmod": {
    scope: "vm",
    summary: "Set permission bits.",
    params: ChmodParams,
    result: Nothing,
  },
  "fs.truncate": {
    scope: "vm",
    summary: "Set a file's length.",
    params: TruncateParams,
    result: Nothing,
  },
  "fs.read": {
    scope: "vm",
    summary: "Read a file on `stream`; answered with its facts when the stream begins.",
    params: ReadParams,
    result: StatResult,
  },
  "fs.readdir": {
    scope: "vm",
    summary: "List a directory on `stream`, in packed entries.",
    params: ReaddirParams,
    result: StatResult,
  },
  "fs.write": {
    scope: "vm",
    summary: "Write a file from `stream`; answered when its end has been written.",
    params: WriteParams,
    result: WriteResult,
  },
  "fs.pack": {
    scope: "vm",
    summary:
      "Read a file or a tree as one tree stream from stdout. `process.exited` tells its end; what failed is on stderr.",
    params: TreeParams,
    result: ProcessStarted,
  },
  "fs.unpack": {
    scope: "vm",
    summary:
      "Write a file or a tree from one tree stream on stdin. `process.exited` tells its end; what failed is on stderr.",
    params: TreeParams,
    result: ProcessStarted,
  },
  "fs.watch": {
    scope: "vm",
    summary:
      "Tell on stdout what happens at a path and directly in it, or everywhere below. It ends with its release.",
    params: WatchParams,
    result: ProcessStarted,
  },
  ...NETWORK_METHODS,
  ...SESSION_METHODS,
  ...WORKFLOW_METHODS,
  ...RELAY_METHODS,
} as const satisfies Record<string, Method>;

interface Method {
  /** `client`: asked by the sidecar. */
  scope: "connection" | "user" | "lease" | "vm" | "client";
  summary: string;
  params: z.ZodType;
  result: z.ZodType;
}

export type MethodName = keyof typeof METHODS;
/** What a caller passes. */
export type MethodParams<M extends MethodName> = z.input<(typeof METHODS)[M]["params"]>;
/** What a handler gets, parsed. */
export type ParsedParams<M extends MethodName> = z.output<(typeof METHODS)[M]["params"]>;
export type MethodResult<M extends MethodName> = z.output<(typeof METHODS)[M]["result"]>;

/** Whether `value` names a method of this build. */
export function isMethodName(value: string): value is MethodName {
  return Object.hasOwn(METHODS, value);
}
