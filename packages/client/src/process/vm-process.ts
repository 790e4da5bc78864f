import type { Signal, SignalScope } from "@agentos/protocol";

import type { ProcessEnd } from "./process-end.ts";

/** A process of a VM. Disposing kills what is left of its session. */
export interface VmProcess extends AsyncDisposable {
  readonly id: string;
  /** Its pid in the VM. */
  readonly pid: number;
  /** Its stdin, where it was spawned with `stdin: "pipe"`; else writing rejects. */
  readonly stdin: WritableStream<Uint8Array | string>;
  /** Its stdout. What nobody reads stays in the VM, and stops the program at a window. */
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /** How it ended. Rejects with `VM_ENDED`, `SIDECAR_LOST` or `CONNECTION_LOST` where that can't be known. */
  readonly exited: Promise<ProcessEnd>;
  /** Sends a signal, by default SIGTERM to its process group. Does nothing once it has ended. */
  kill(signal?: Signal, options?: { scope?: SignalScope | undefined }): Promise<void>;
}
