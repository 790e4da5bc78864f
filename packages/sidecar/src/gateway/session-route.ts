import { createHash, timingSafeEqual } from "node:crypto";

import type { ModelCall, ModelRoute, RateLimitWindow } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import type { ProviderTarget } from "./provider-target.ts";

export interface SessionRouteOptions {
  readonly route: ModelRoute;
  readonly target: ProviderTarget;
  /** The VM that its calls come from: the driver's id, unique across users. */
  readonly vmKey: string;
  readonly token: string;
}

/** One session's way to its model, while it is open. */
export class SessionRoute {
  readonly target: ProviderTarget;
  readonly vmKey: string;
  readonly digest: Buffer;
  /** Aborted with the session: nothing of its calls goes on. */
  readonly closed = new AbortController();
  rateLimits: readonly RateLimitWindow[] = [];
  readonly #route: ModelRoute;
  #failure: AgentOsError | undefined;

  constructor({ route, target, vmKey, token }: SessionRouteOptions) {
    this.#route = route;
    this.target = target;
    this.vmKey = vmKey;
    this.digest = tokenDigest(token);
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

/** The routes that are open, found by their tokens. */
export class SessionRoutes {
  readonly #byDigest = new Map<string, SessionRoute>();

  /** Throws where the token is another session's: it never is. */
  add(route: SessionRoute): void {
    this.#byDigest.set(route.digest.toString("hex"), route);
  }

  remove(route: SessionRoute): void {
    const key = route.digest.toString("hex");
    if (this.#byDigest.get(key) === route) this.#byDigest.delete(key);
  }

  /** The one that every credential of a request names, from that VM. Undefined: there is none, or one is foreign. */
  find(credentials: readonly string[], vmKey: string): SessionRoute | undefined {
    const found = credentials.map((credential) => this.#named(credential));
    const [first] = found;
    if (first === undefined || first.vmKey !== vmKey) return undefined;
    return found.every((route) => route === first) ? first : undefined;
  }

  [Symbol.dispose](): void {
    for (const route of this.#byDigest.values()) route.closed.abort();
    this.#byDigest.clear();
  }

  /** Looked up by the hash, whose prefixes tell nothing of the token's. */
  #named(credential: string): SessionRoute | undefined {
    const digest = tokenDigest(credential);
    const route = this.#byDigest.get(digest.toString("hex"));
    return route !== undefined && timingSafeEqual(route.digest, digest) ? route : undefined;
  }
}

function tokenDigest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
