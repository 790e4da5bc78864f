import type { AgentSessions, Clock, RelayStore, RelayStores } from "@agentos/core";

import type { Journal } from "./events/journal.ts";

/** Where the relay's own troubles go. No message's text belongs in it. */
export interface RelayLog {
  warn(facts: Record<string, unknown>, message: string): void;
  error(facts: Record<string, unknown>, message: string): void;
}

export interface RelayOptions {
  readonly sessions: AgentSessions;
  readonly stores: RelayStores;
  readonly clock: Clock;
  /** Milliseconds since 1970. Default: the machine's. */
  readonly now?: (() => number) | undefined;
  readonly log: RelayLog;
}

/** What everything in one user's relay works with. */
export interface UserParts {
  readonly user: string;
  readonly sessions: AgentSessions;
  readonly store: RelayStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly now: () => number;
  readonly log: RelayLog;
}
