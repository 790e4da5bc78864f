import type { Connection } from "../connection/connection.ts";
import type { Endpoint } from "../connection/web-socket-transport.ts";

/** A connection, and where it leads, so that it can be made again. */
export interface Hosted {
  connection: Connection;
  endpoint: Endpoint;
}

/** Finds or starts the sidecar of one handle. */
export interface SidecarHost {
  /** Connects to the sidecar, starting it where none is alive. A failed start leaves no process. */
  connect(): Promise<Hosted>;
  /** Connects to the sidecar where one is alive, and starts none. */
  find(): Promise<Hosted | undefined>;
  /** No VM is left, or the handle is disposed: ends what this program owns of the sidecar. */
  end(): Promise<void>;
}
