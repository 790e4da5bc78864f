import type { AgentOsError } from "@agentos/protocol";

import type { Connection } from "./connection.ts";

/** Something under way on a lease that outlives its connection. */
export interface Resumable {
  /** The lease is held on `connection`, the first one or another: asks for what is still missing. */
  resume(connection: Connection): void;
  /** Nothing follows: the lease or its VM is over. Called at most once. */
  lost(reason: AgentOsError): void;
}
