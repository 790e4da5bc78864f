import { setTimeout as delay } from "node:timers/promises";

const FIRST_MS = 20;
const LONGEST_MS = 500;

/** How long to wait before try `number`, counted from 1: twice as long each time, and never as long as others wait. */
export function backoffMs(number: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** (number - 1));
  return full / 2 + (Math.random() * full) / 2;
}

/** Waits before try `number`. Rejects when `signal` aborts. */
export async function backOff(number: number, signal: AbortSignal): Promise<void> {
  await delay(backoffMs(number), undefined, { signal });
}
