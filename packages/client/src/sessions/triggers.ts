import type { Content, Trigger as WireTrigger } from "@agentos/protocol";

import type { SessionFunction } from "./session-functions.ts";

/** Gives the prompt of a triggered turn, or nothing for none. `changes`: the changed paths of a file trigger. */
export type TriggerFunction = (
  changes: readonly string[],
) => string | undefined | Promise<string | undefined>;

/** What starts a turn by itself: a time, or a change of a file. */
export type Trigger =
  | { readonly everyMs: number; readonly prompt: Content | TriggerFunction }
  | { readonly watch: string; readonly prompt: string | TriggerFunction }
  /** Five fields of cron, in UTC. */
  | { readonly cron: string; readonly prompt: Content | TriggerFunction };

/** A trigger as the sidecar gets it; its function goes into `functions`. */
export function wireTrigger(
  trigger: Trigger,
  index: number,
  functions: Map<string, SessionFunction>,
): WireTrigger {
  const callback = `trigger:${index}`;
  if (typeof trigger.prompt === "function") functions.set(callback, asked(trigger.prompt));
  if ("watch" in trigger) {
    const { watch: path, prompt } = trigger;
    const what = typeof prompt === "function" ? { callback } : { prompt };
    return { kind: "file_change", path, ...what };
  }
  const { prompt } = trigger;
  const what = typeof prompt === "function" ? { callback } : { prompt };
  return "everyMs" in trigger
    ? { kind: "interval", everyMs: trigger.everyMs, ...what }
    : { kind: "schedule", cron: trigger.cron, ...what };
}

function asked(run: TriggerFunction): SessionFunction {
  return async ({ ask }) => {
    const prompt = await run(ask.kind === "trigger" ? ask.changes : []);
    return { kind: "trigger", ...(prompt === undefined ? {} : { prompt }) };
  };
}
