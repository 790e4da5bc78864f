import type { Readable, Writable } from "node:stream";

/** What a stream has where it is a terminal. */
interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  setRawMode?(isRaw: boolean): unknown;
}

/** What surrounds the command: its streams, environment, directory and signals. */
export interface Io {
  readonly stdin: Readable & Terminal;
  readonly stdout: Writable & Terminal;
  readonly stderr: Writable & Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The absolute working directory. */
  readonly directory: string;
  /** Where SIGINT, SIGTERM and SIGHUP arrive. */
  readonly signals: SignalSource;
}

/** The part of an event emitter that signals need; `process` is one. */
export interface SignalSource {
  on(signal: EndSignal, listener: (signal: EndSignal) => void): unknown;
  off(signal: EndSignal, listener: (signal: EndSignal) => void): unknown;
}

/** The signals by which a person or a system asks a command to end. */
export type EndSignal = "SIGINT" | "SIGTERM" | "SIGHUP";
