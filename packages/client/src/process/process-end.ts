import type { Outcome, ProcessExit } from "@agentos/protocol";

/** `unknown`: nobody saw the end. It is never invented. */
export type ProcessOutcome = "exited" | "signaled" | "timed-out" | "cancelled" | "unknown";

/** How a process ended. */
export interface ProcessEnd {
  exitCode: number | null;
  signal: string | null;
  outcome: ProcessOutcome;
  durationMs: number;
}

const OUTCOMES: Readonly<Record<Outcome, ProcessOutcome>> = {
  exited: "exited",
  signaled: "signaled",
  timed_out: "timed-out",
  cancelled: "cancelled",
  unknown: "unknown",
};

/** The end as users see it. A kill that was asked for by aborting, and hit, is a cancellation. */
export function processEnd(exit: ProcessExit, aborted: boolean): ProcessEnd {
  const { exitCode, signal, outcome, durationMs } = exit;
  const cancelled = aborted && outcome === "signaled" && signal === "SIGKILL";
  return { exitCode, signal, outcome: cancelled ? "cancelled" : OUTCOMES[outcome], durationMs };
}
