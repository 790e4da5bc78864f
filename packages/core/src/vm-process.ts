import type { OutputMode, Signal, SignalScope } from "@agentos/protocol";

import type { FrameSource } from "./frame-sink.ts";
import type { LimitHit } from "./vm-driver.ts";
import type { TerminalOptions } from "./vm-terminals.ts";

export interface ProcessRequest {
  processId: string;
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  stdin: "none" | "pipe";
  output: OutputMode;
  windowBytes: number;
  timeoutMs?: number;
  /** No program, but what the VM's agent does itself: `argv` is `pack`, `unpack`, `list` or `watch`, a path, and `recursive` for a watch of all below, or what a list leaves out. `piped` only; it ends with its release. */
  builtin?: true;
  /** On a terminal: `stdin` is none then, and `output` logged. Only where the VM has `terminals`. */
  terminal?: TerminalOptions;
}

/** How a process ended, as its reaper saw it. */
export interface VmProcessExit {
  exitCode: number | null;
  signal: string | null;
  timedOut: boolean;
  /** The VM's limit that it was killed at. */
  limit?: LimitHit;
  stdoutBytes: number;
  stderrBytes: number;
  stdoutOpen: boolean;
  stderrOpen: boolean;
  durationMs: number;
}

export interface VmProcess extends FrameSource {
  readonly pid: number;
  /** Rejects with `VM_ENDED` when the VM goes first: an end nobody saw is never invented. */
  readonly exited: Promise<VmProcessExit>;
  signal(signal: Signal, scope: SignalScope): void;
  /**
   * The reader is another one, or the same on another connection: sending goes on from what it has.
   * Frames go to the sink given at the start, or at `AdoptedProcess.attach`. An end that was told is told again.
   * Rejects with `INVALID_ARGUMENT` for offsets that were acknowledged already or never produced.
   */
  resume(received: { stdout: number; stderr: number }): Promise<void>;
}
