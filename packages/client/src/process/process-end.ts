import type { Outcome, ProcessExit, ReachedLimitName } from "@agentos/protocol";

/** `limited`: a limit of its VM ended it. `unknown`: nobody saw the end. It is never invented. */
export type ProcessOutcome =
  | "exited"
  | "signaled"
  | "timed-out"
  | "cancelled"
  | "limited"
  | "unknown";

/** A limit that was reached, and its value: bytes, milliseconds, or a count. */
export interface ReachedLimit {
  readonly name: ReachedLimitName | "maxOutputBytes";
  readonly value: number;
}

/** One channel when its process ended. */
export interface ChannelEnd {
  /** Written until then. */
  readonly bytes: number;
  /** Another process still holds it: more may come. */
  readonly open: boolean;
}

/** How a process ended. */
export interface ProcessEnd {
  exitCode: number | null;
  signal: string | null;
  outcome: ProcessOutcome;
  /** What ended it where the outcome is `limited`; else `maxOutputBytes` where output was dropped. */
  limit?: ReachedLimit | undefined;
  /** What it had written when it ended. Absent where nobody saw that. */
  channels?: { readonly stdout: ChannelEnd; readonly stderr: ChannelEnd } | undefined;
  durationMs: number;
}

const OUTCOMES: Readonly<Record<Outcome, ProcessOutcome>> = {
  exited: "exited",
  signaled: "signaled",
  timed_out: "timed-out",
  cancelled: "cancelled",
  limited: "limited",
  unknown: "unknown",
};

/** The end as users see it. A kill that was asked for by aborting, and hit, is a cancellation. */
export function processEnd(exit: ProcessExit, aborted: boolean): ProcessEnd {
  const { exitCode, signal, outcome, limit, durationMs } = exit;
  const cancelled = aborted && outcome === "signaled" && signal === "SIGKILL";
  return {
    exitCode,
    signal,
    outcome: cancelled ? "cancelled" : OUTCOMES[outcome],
    ...(limit === undefined ? {} : { limit }),
    channels: {
      stdout: { bytes: exit.stdoutBytes, open: exit.stdoutOpen },
      stderr: { bytes: exit.stderrBytes, open: exit.stderrOpen },
    },
    durationMs,
  };
}
