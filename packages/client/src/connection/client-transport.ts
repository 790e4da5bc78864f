import type { Transport } from "@agentos/protocol";

/** A transport that can be told whether it alone keeps the program running. */
export interface ClientTransport extends Transport {
  /** True: an open connection keeps the program running. Absent: it never does. */
  keepAlive?(on: boolean): void;
}
