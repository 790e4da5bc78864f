import type { AgentOs } from "../agent-os.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";

export interface SessionForkOptions {
  /** The new VM's. Default: it has none, and ends with its last lease. */
  readonly name?: string;
  readonly signal?: AbortSignal;
}

/** Where sessions of one lease are. */
export interface SessionPlace {
  readonly admin: VmAdmin;
  /** A new VM with this one's files as they are now. */
  forkVm(options: SessionForkOptions): Promise<AgentOs>;
}
