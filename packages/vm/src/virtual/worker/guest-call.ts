import type { WriteRequest } from "@agentos/core";

/** A host directory that is copied into the VM. */
export interface HostCopy {
  readonly source: string;
  readonly target: string;
}

/** What a worker starts a process from. */
export interface GuestProcessRequest {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: "none" | "pipe";
  readonly windowBytes: number;
  readonly pid: number;
  /** Its number in the worker's table of signals. */
  readonly slot: number;
  readonly openFiles: number;
  /** As in `ProcessRequest`. */
  readonly builtin?: true;
}

/** What the driver asks of a worker, about one VM. Each is answered by a reply. */
export type GuestCall =
  | {
      op: "create";
      limits: { bytes: number; nodes: number };
      copies: readonly HostCopy[];
      from?: number;
    }
  | { op: "end" }
  | { op: "snapshot"; snapshot: number }
  | { op: "forget-snapshot"; snapshot: number }
  | { op: "start"; stream: number; process: GuestProcessRequest }
  | { op: "resume"; stream: number; stdout: number; stderr: number }
  | { op: "freeze"; frozen: boolean }
  | { op: "used-bytes" }
  | { op: "ping" }
  | { op: "stat" | "lstat" | "readlink" | "realpath"; path: string }
  | { op: "mkdir"; path: string; mode: number; recursive: boolean }
  | { op: "rm"; path: string; recursive: boolean; force: boolean }
  | { op: "rename"; from: string; to: string }
  | { op: "copy"; from: string; to: string; recursive: boolean; overwrite: boolean }
  | { op: "symlink"; content: string; path: string }
  | { op: "chmod"; path: string; mode: number }
  | { op: "truncate"; path: string; length: number }
  | {
      op: "read";
      stream: number;
      path: string;
      start: number;
      length?: number;
      windowBytes: number;
    }
  | { op: "readdir"; stream: number; path: string; windowBytes: number }
  | { op: "write"; stream: number; request: WriteRequest };

/** What the driver sends to a worker. */
export type HostMessage =
  | { kind: "call"; id: number; vm: number; call: GuestCall }
  /** Data, end or acknowledgement of a stream. */
  | { kind: "frame"; stream: number; frame: Uint8Array }
  | { kind: "close"; stream: number }
  /** The process's signal is in the table: it may sleep. */
  | { kind: "kill"; stream: number };

/** What a worker is started with. */
export interface GuestWorkerData {
  /** Where just-bash is, as a URL. */
  readonly shell: string;
  /** By process slot: 0, or the number of the signal that ends it. Read in the middle of a loop, too. */
  readonly signals: Int32Array;
}
