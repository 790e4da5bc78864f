import type { AgentEndpoint } from "@agentos/core";
import type { AgentOsError } from "@agentos/protocol";

/** An agent that has not ended its turn this long after its model failed is stopped. */
const FAILING_MS = 4_000;
const WATCH_MS = 250;

/** How the last model call failed, as the gateway saw it; undefined where it did not, or the agent itself gave it up. */
export function modelFailure(endpoint: AgentEndpoint | undefined): AgentOsError | undefined {
  const failure = endpoint?.failure;
  return failure?.code === "CANCELLED" ? undefined : failure;
}

/** Tells of a model that failed and an agent that goes on trying: tries are the engine's. The result ends the watch. */
export function watchFailure(
  endpoint: AgentEndpoint | undefined,
  failing: (error: AgentOsError) => void,
): () => void {
  let sinceMs: number | undefined;
  const before = modelFailure(endpoint);
  const timer = setInterval(() => {
    const failure = modelFailure(endpoint);
    // That of the turn before is not this one's.
    if (failure === undefined || failure === before) {
      sinceMs = undefined;
      return;
    }
    sinceMs ??= performance.now();
    if (performance.now() - sinceMs >= FAILING_MS) failing(failure);
  }, WATCH_MS);
  return () => clearInterval(timer);
}
