import type { SessionRef, ToolSource } from "@agentos/core";
import { encodeError, type SessionEvent } from "@agentos/protocol";

import { Journal } from "./events/journal.ts";
import type { RelayOptions } from "./relay-parts.ts";
import { RelayTools } from "./tools/relay-tools.ts";
import { UserRelay } from "./user-relay.ts";

/** The agents of every user of a sidecar. Those of one user are unknown to another. */
export class Relay implements Disposable {
  readonly #options: RelayOptions;
  readonly #users = new Map<string, UserRelay>();
  readonly #unsubscribe: () => void;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#unsubscribe = options.sessions.subscribe((ref, events) => this.#observe(ref, events));
  }

  of(user: string): UserRelay {
    const known = this.#users.get(user);
    if (known !== undefined) return known;
    const { sessions, stores, clock, log, now = () => Date.now() } = this.#options;
    const store = stores.of(user);
    const onFault = (error: unknown): void => {
      const { code, message: reason } = encodeError(error);
      log.error({ code, reason }, "steps of deliveries were not written");
    };
    const journal = new Journal({ store, clock, now, onFault });
    const relay = new UserRelay({ user, sessions, store, journal, clock, now, log });
    this.#users.set(user, relay);
    return relay;
  }

  /** What its agents may do with it. */
  get tools(): ToolSource {
    return new RelayTools((user) => this.of(user));
  }

  /** What an earlier life left. After the sessions' own. */
  restore(): void {
    for (const user of this.#options.stores.users()) this.of(user).restore();
  }

  /** A VM of an earlier life was taken over: its agents go on. */
  adopted({ user, vmId }: { user: string; vmId: string }): void {
    this.#users.get(user)?.adopted(vmId);
  }

  /** Nothing more is told or written. */
  [Symbol.dispose](): void {
    this.#unsubscribe();
    for (const { parts } of this.#users.values()) parts.journal.flush();
  }

  #observe({ user, sessionId }: SessionRef, events: readonly SessionEvent[]): void {
    this.#users.get(user)?.observe(sessionId, events);
  }
}
