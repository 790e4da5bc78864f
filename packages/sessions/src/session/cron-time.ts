import { Cron } from "croner";

import { invalidArgument } from "./session-errors.ts";

/** Milliseconds from now to the next time that the five fields name, in UTC. Undefined: never again. */
export function nextRunMs(cron: string): number | undefined {
  const next = parsed(cron).nextRun();
  return next === null ? undefined : Math.max(0, next.getTime() - Date.now());
}

/** Throws `INVALID_ARGUMENT`. */
export function assertCron(cron: string): void {
  parsed(cron);
}

function parsed(cron: string): Cron {
  try {
    return new Cron(cron, { timezone: "UTC", mode: "5-part", paused: true });
  } catch {
    throw invalidArgument("session.triggers.cron", "five fields of cron", JSON.stringify(cron));
  }
}
