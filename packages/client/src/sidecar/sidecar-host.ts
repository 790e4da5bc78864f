import type { Connection } from "../connection/connection.ts";

/** Finds or starts the sidecar of one handle. */
export interface SidecarHost {
  /** Connects to the sidecar, starting it where none is alive. A failed start leaves no process. */
  connect(): Promise<Connection>;
  /** Connects to the sidecar where one is alive, and starts none. */
  find(): Promise<Connection | undefined>;
  /** Whether a sidecar is alive, or was killed and may have left VMs to the next one. Starts none, and connects to none. */
  mayHaveVms(): Promise<boolean>;
  /** Connects to the sidecar that has the VMs of a lost connection, or to the next one that takes them over; undefined where there is none. Rejects where another try may help. */
  reconnect(): Promise<Connection | undefined>;
  /** No VM is left, or the handle is disposed: ends what this program owns of the sidecar. */
  end(): Promise<void>;
}
