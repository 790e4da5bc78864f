import type { ModelCall, ModelRoute } from "@agentos/core";
import { AgentOsError, type RateLimitWindow } from "@agentos/protocol";

import type { ProviderTarget } from "./provider-target.ts";

/** One session's way to its model, while it is open. */
export class SessionRoute {
  readonly target: ProviderTarget;
  /** Aborted with the session: nothing of its calls goes on. */
  readonly closed = new AbortController();
  rateLimits: readonly RateLimitWindow[] = [];
  readonly #route: ModelRoute;
  #failure: AgentOsError | undefined;

  constructor(route: ModelRoute, target: ProviderTarget) {
    this.#route = route;
    this.target = target;
  }

  /** How the last call failed. */
  get failure(): AgentOsError | undefined {
    return this.#failure;
  }

  /** An error: the call may not be. Else exactly one `called` has to follow. */
  mayCall(): AgentOsError | undefined {
    const refused = this.#route.mayCall();
    if (refused !== undefined) this.#failure = refused;
    return refused;
  }

  /** Why nothing at all may be asked any more. */
  loss(): AgentOsError | undefined {
    try {
      this.#route.vm.handle();
      return undefined;
    } catch (error) {
      if (error instanceof AgentOsError) return error;
      return new AgentOsError(
        "INTERNAL",
        "the session's VM can't be reached",
        {},
        { cause: error },
      );
    }
  }

  heard(): void {
    this.#route.heard();
  }

  called(call: ModelCall): void {
    this.#failure = call.error;
    this.#route.called(call);
  }
}
