import { AgentOsError } from "@agentos/protocol";

/** Waits for `work`, or rejects with `CANCELLED` when `signal` aborts first; the work itself goes on. */
export async function raceSignal<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  operation: string,
): Promise<T> {
  if (signal === undefined) return await work;
  const cancelled = Promise.withResolvers<never>();
  const abort = (): void =>
    cancelled.reject(
      new AgentOsError(
        "CANCELLED",
        `${operation} was cancelled`,
        { operation },
        { cause: signal.reason },
      ),
    );
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, cancelled.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
