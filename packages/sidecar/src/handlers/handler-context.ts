import type { SidecarInfo } from "@agentos/protocol";
import type { Relay, WorkflowHost } from "@agentos/relay";
import type { SessionHost } from "@agentos/sessions";

import type { ApiKey, ApiKeys } from "../keys/api-keys.ts";
import type { Asker, BoundCallbacks } from "../sessions/bound-callbacks.ts";
import type { StreamTable } from "../server/stream-table.ts";
import type { Holder } from "../vms/holder.ts";
import type { VmHost } from "../vms/vm-host.ts";

/** What a user may do with the sidecar itself. */
export interface SidecarControl {
  readonly sidecarId: string;
  readonly epoch: number;
  info(user: string): Promise<SidecarInfo>;
  keep(on: boolean): void;
  /** Starts the end; does not wait for it. */
  shutdown(reason: string): void;
}

/** The parts of a sidecar that every connection's handlers work with. */
export interface SidecarParts {
  readonly host: VmHost;
  readonly keys: ApiKeys;
  readonly control: SidecarControl;
  readonly sessions: SessionHost;
  readonly workflows: WorkflowHost;
  readonly relay: Relay;
  readonly callbacks: BoundCallbacks;
}

/** One connection, as its handlers see it. */
export interface HandlerContext extends SidecarParts {
  readonly holder: Holder;
  readonly key: ApiKey;
  readonly streams: StreamTable;
  /** What the client's functions are asked through. */
  readonly asker: Asker;
}
