import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 20;

/** A process of the host that can't be mistaken for a later one with the same pid. */
export interface HostProcess {
  readonly pid: number;
  readonly startTicks: string;
}

/** The process that has `pid` now, or undefined where there is none (a zombie is none). */
export async function hostProcess(pid: number): Promise<HostProcess | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => undefined);
  return stat === undefined ? undefined : parse(pid, stat);
}

/** The same at once: /proc answers from memory, and a turn of the loop costs more than the call. */
export function hostProcessNow(pid: number): HostProcess | undefined {
  try {
    return parse(pid, readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    // Gone, or on its way out: either way it can't be looked at.
    return undefined;
  }
}

/** Whether that very process still runs. */
export async function isAlive(process: HostProcess): Promise<boolean> {
  const now = await hostProcess(process.pid);
  return now?.startTicks === process.startTicks;
}

/** SIGKILL to that very process, and waits until it is gone. Rejects when `signal` aborts. */
export async function killHostProcess(target: HostProcess, signal: AbortSignal): Promise<void> {
  // Each look needs the one before.
  // oxlint-disable-next-line no-await-in-loop
  while (await isAlive(target)) {
    try {
      process.kill(target.pid, "SIGKILL");
    } catch {
      // It went between the look and the kill.
    }
    // oxlint-disable-next-line no-await-in-loop
    await sleep(POLL_MS, undefined, { signal });
  }
}

function parse(pid: number, stat: string): HostProcess | undefined {
  // The name before it is in brackets and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startTicks = fields[19];
  if (startTicks === undefined || fields[0] === "Z" || fields[0] === "X") return undefined;
  return { pid, startTicks };
}
