import * as z from "zod";

import { Id, StreamId, VmPath } from "./ids.ts";
import { Environment, ReachedLimitName, VmScope } from "./vm.ts";

/** `piped`: one reader, back-pressure. `logged`: a ring of the last bytes, many readers. */
export const OutputMode = z.enum(["piped", "logged"]);
export type OutputMode = z.infer<typeof OutputMode>;

export const ProcessStart = VmScope.extend({
  /** The client's id: a repeated request starts nothing twice. */
  processId: Id,
  /** The program and its arguments; without `/` it is searched in PATH. */
  argv: z
    .array(z.string().refine((arg) => !arg.includes("\0"), "expected an argument without NUL"))
    .min(1),
  /** Default /workspace. */
  cwd: VmPath.optional(),
  env: Environment.optional(),
  /** Default `none`: /dev/null. */
  stdin: z.enum(["none", "pipe"]).optional(),
  output: OutputMode.optional(),
  /** The stream that carries stdin, stdout and stderr. */
  stream: StreamId,
  windowBytes: z
    .int()
    .min(4096)
    .max(1024 * 1024)
    .optional(),
  /** Afterwards every process of its session gets SIGKILL. */
  timeoutMs: z.int().min(1).max(0xffff_ffff).optional(),
  /**
   * A repeated request after a lost connection or sidecar: the bytes of each channel that came. The
   * process is not started twice; its stream goes on from here, on this connection. 0 where nothing came.
   */
  received: z.object({ stdout: z.int().min(0), stderr: z.int().min(0) }).optional(),
});
export type ProcessStart = z.infer<typeof ProcessStart>;

export const Outcome = z.enum([
  "exited",
  "signaled",
  "timed_out",
  "cancelled",
  "limited",
  "unknown",
]);
export type Outcome = z.infer<typeof Outcome>;

/** Bytes of each channel. */
export const ChannelBytes = z.object({ stdout: z.int().min(0), stderr: z.int().min(0) });
export type ChannelBytes = z.infer<typeof ChannelBytes>;

/** A limit that a process came up against, and its value. */
export const ReachedLimit = z.object({ name: ReachedLimitName, value: z.number() });
export type ReachedLimit = z.infer<typeof ReachedLimit>;

export const ProcessExit = z.object({
  processId: Id,
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  outcome: Outcome,
  /** With `limited`: what ended it. */
  limit: ReachedLimit.optional(),
  /** Bytes written until the process ended. */
  stdoutBytes: z.int(),
  stderrBytes: z.int(),
  /** Another process still holds the channel; its END comes later. */
  stdoutOpen: z.boolean(),
  stderrOpen: z.boolean(),
  durationMs: z.number(),
});
export type ProcessExit = z.infer<typeof ProcessExit>;

export const ProcessStarted = z.object({ processId: Id, pid: z.int() });

export const ProcessInfo = z.object({
  pid: z.int(),
  ppid: z.int(),
  pgid: z.int(),
  sid: z.int(),
  state: z.string(),
  command: z.string(),
  cpuMs: z.int(),
  rssBytes: z.int(),
  /** The client's id, where the process was started through AgentOS. */
  processId: Id.optional(),
});
export type ProcessInfo = z.infer<typeof ProcessInfo>;

export const ProcessSummary = z.object({
  processId: Id,
  pid: z.int(),
  command: z.string(),
  output: OutputMode,
  state: z.enum(["running", "exited"]),
  exit: ProcessExit.optional(),
});
export type ProcessSummary = z.infer<typeof ProcessSummary>;

export const SIGNALS = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGILL",
  "SIGTRAP",
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGKILL",
  "SIGUSR1",
  "SIGSEGV",
  "SIGUSR2",
  "SIGPIPE",
  "SIGALRM",
  "SIGTERM",
  "SIGSTKFLT",
  "SIGCHLD",
  "SIGCONT",
  "SIGSTOP",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGURG",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGVTALRM",
  "SIGPROF",
  "SIGWINCH",
  "SIGIO",
  "SIGPWR",
  "SIGSYS",
] as const;
export const Signal = z.enum(SIGNALS);
export type Signal = z.infer<typeof Signal>;

export const SignalScope = z.enum(["process", "group", "session"]);
export type SignalScope = z.infer<typeof SignalScope>;
