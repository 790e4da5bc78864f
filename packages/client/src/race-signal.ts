import { AgentOsError } from "@agentos/protocol";

/** Waits for `work`, or rejects with `CANCELLED` when `signal` aborts first; the work itself goes on. */
export async function raceSignal<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  operation: string,
): Promise<T> {
  if (signal === undefined) return await work;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(cancelled(operation, signal.reason));
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** `CANCELLED`: the caller's signal aborted, with `cause` as its reason. */
export function cancelled(operation: string, cause: unknown): AgentOsError {
  return new AgentOsError("CANCELLED", `${operation} was cancelled`, { operation }, { cause });
}
