import { constants } from "node:os";

/** Exit codes that are the command's own; docs/command.md explains them. */
export const EXIT_CODE = {
  ok: 0,
  /** `doctor`: no VM can be made here. */
  unfit: 1,
  /** `session`: the agent stopped for another reason than being done. `workflow`: it did not complete. */
  turnStopped: 3,
  usage: 64,
  timedOut: 124,
  failed: 125,
  notExecutable: 126,
  notFound: 127,
  interrupted: 130,
  /** Whoever read the output has left. */
  brokenPipe: 141,
} as const;

/** How a guest process ended. */
export interface GuestExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly outcome: string;
}

/** The exit code that says to a shell how the guest's process ended. */
export function exitCodeOf(exit: GuestExit): number {
  if (exit.outcome === "timed-out") return EXIT_CODE.timedOut;
  if (exit.exitCode !== null) return exit.exitCode;
  return exit.signal === null ? EXIT_CODE.failed : signalExitCode(exit.signal);
}

/** 128 and the signal's number, as shells count. */
export function signalExitCode(signal: string): number {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  const number = numbers[signal];
  return number === undefined ? EXIT_CODE.failed : 128 + number;
}
