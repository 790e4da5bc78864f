import type { Clock } from "@agentos/core";
import { AgentOsError, isAgentOsError } from "@agentos/protocol";

/** The result of `work`, or `undefined` where it is not there within `ms`. What comes later is nobody's: its failure too. */
export async function within<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const cancel = clock.after(ms, () => resolve(undefined));
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}

/** The same, where the time only begins once the signal is aborted. */
export async function withinGrace<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  let cancel = nothing;
  const abort = (): void => {
    cancel = clock.after(ms, () => resolve(undefined));
  };
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
    signal.removeEventListener("abort", abort);
  }
}

/** Resolves after `ms`. Rejects with the signal's reason. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", abort);
  }
}

export function deadlineExceeded(
  operation: string,
  deadlineMs: number,
): AgentOsError<"DEADLINE_EXCEEDED"> {
  const message = `${operation}: expected an end within ${deadlineMs} ms, none came`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, { operation, deadlineMs });
}

export function cancelled(operation: string): AgentOsError<"CANCELLED"> {
  return new AgentOsError("CANCELLED", `${operation} was cancelled`, { operation });
}

/** Any error as one of ours. A foreign one may say anything: it is its cause, for the log alone. */
export function asAgentOsError(error: unknown): AgentOsError {
  if (isAgentOsError(error)) return error;
  const message = "an internal error: see the sidecar's log";
  return new AgentOsError("INTERNAL", message, {}, { cause: error });
}

/** What of an error the log is told. */
export function errorFacts(error: unknown): Record<string, unknown> {
  const known = isAgentOsError(error, "INTERNAL") ? (error.cause ?? error) : error;
  if (!(known instanceof Error)) return { error: String(known) };
  return { error: known.message, stack: known.stack };
}

/** From now to a time of the calendar; 0 where it is past, unknown or none at all. */
export function msUntil(time: unknown): number {
  const leftMs = typeof time === "string" ? Date.parse(time) - Date.now() : 0;
  return Number.isNaN(leftMs) ? 0 : Math.max(0, leftMs);
}

/** What there is to undo before there is anything. */
export function nothing(): void {
  // Nothing yet.
}
