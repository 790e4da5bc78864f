import type { Signal, SignalScope, TerminalSize } from "@agentos/protocol";

import type { ProcessEnd } from "../process/process-end.ts";

/** A process of a VM on a terminal. Disposing one that was opened ends it, one that was attached to leaves it. */
export interface Terminal extends AsyncDisposable {
  /** For `os.attachTerminal`; its process's id, too. */
  readonly id: string;
  /** Its pid in the VM. */
  readonly pid: number;
  /**
   * What it writes, bytes as they come, from the oldest kept. The program waits for its fastest
   * reader; from the first read on this is one. Ends with the terminal.
   */
  readonly output: ReadableStream<Uint8Array>;
  /** Bytes of the output that were no longer kept when `output` got there. */
  readonly skippedBytes: number;
  /** Where in all that it ever wrote this program's reading was live: what `output` gives before that is older. */
  readonly liveFrom: Promise<number>;
  /** How it ended. Rejects with `VM_ENDED`, `SIDECAR_LOST`, `CONNECTION_LOST`, or `DISPOSED` after `detach`. */
  readonly exited: Promise<ProcessEnd>;
  /** Types into it. Resolves once sent; waits while the program does not read. Rejects with `FILE_SYSTEM` (`EIO`) once it has ended. */
  write(data: string | Uint8Array): Promise<void>;
  /** Sets its size, 1 to 1,000 each way; the program gets SIGWINCH. Rejects with `INVALID_ARGUMENT`. */
  resize(size: TerminalSize): Promise<void>;
  /** Its screen as text, line by line, without trailing blanks. Needs the package `@xterm/headless`. */
  snapshot(): Promise<string>;
  /** Sends a signal, by default SIGHUP to every process of its session. Does nothing once it has ended. */
  kill(signal?: Signal, options?: { scope?: SignalScope | undefined }): Promise<void>;
  /** Leaves it running, for `os.attachTerminal`. What is written or read through this one fails from now on. */
  detach(): void;
}
