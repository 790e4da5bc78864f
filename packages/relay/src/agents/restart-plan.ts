import { DEFAULTS, type RestartPolicy } from "@agentos/protocol";

import { RELAY_BOUNDS } from "../relay-bounds.ts";

export interface Failures {
  /** Restarts so far. */
  readonly restarts: number;
  /** Failures in a row, this one included. */
  readonly consecutive: number;
}

/** What follows a failure: a restart after a while, or nothing more, with the reason. */
export type RestartPlan =
  | { readonly kind: "restart"; readonly delayMs: number }
  | { readonly kind: "give_up"; readonly reason: string };

/** What the policy says of an agent that died by itself. Undefined: there is none, and no restart. */
export function planRestart(
  policy: RestartPolicy | undefined,
  { restarts, consecutive }: Failures,
): RestartPlan | undefined {
  if (policy === undefined) return undefined;
  const {
    enabled = true,
    maxRestarts = DEFAULTS.maxRestarts,
    maxConsecutiveFailures = DEFAULTS.maxConsecutiveFailures,
    cooldownMs = DEFAULTS.restartCooldownMs,
  } = policy;
  if (!enabled) return { kind: "give_up", reason: "restart policy disabled" };
  if (restarts >= maxRestarts)
    return { kind: "give_up", reason: `exceeded max restarts (${maxRestarts})` };
  if (consecutive > maxConsecutiveFailures) {
    const reason = `exceeded max consecutive failures (${maxConsecutiveFailures})`;
    return { kind: "give_up", reason };
  }
  const delayMs = Math.min(cooldownMs * 2 ** (consecutive - 1), RELAY_BOUNDS.longestCooldownMs);
  return { kind: "restart", delayMs };
}
