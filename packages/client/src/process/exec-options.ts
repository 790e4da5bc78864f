import type { InputSource } from "./input-stream.ts";
import type { ProcessEnd } from "./process-end.ts";

/** How a command is run. `T` is what its output is given as. */
export interface ExecOptions<T extends string | Uint8Array = string> {
  /** Absolute. Default /workspace. */
  cwd?: string | undefined;
  env?: Record<string, string> | undefined;
  /** Default: nothing, /dev/null. */
  stdin?: InputSource | undefined;
  /** After it every process of its session is killed. Default: none. */
  timeoutMs?: number | undefined;
  /** Kept of each of stdout and stderr; the rest is dropped and `truncated` says so. Default 16 MiB. */
  maxOutputBytes?: number | undefined;
  /** Aborted: every process of its session is killed, and the outcome is `cancelled`. */
  signal?: AbortSignal | undefined;
  /** Hears stdout as it comes, also what is not kept. */
  onStdout?: ((chunk: T) => void) | undefined;
  onStderr?: ((chunk: T) => void) | undefined;
}

export interface TextExecOptions extends ExecOptions {
  /** Output as strings, decoded as UTF-8. The default. */
  encoding?: "utf8" | undefined;
}

export interface BufferExecOptions extends ExecOptions<Uint8Array> {
  /** Output as bytes. */
  encoding: "buffer";
}

/** How a command ended. A failing command is a result, not an error. */
export interface ExecResult<T extends string | Uint8Array = string> extends ProcessEnd {
  stdout: T;
  stderr: T;
  /** Whether stdout or stderr went beyond `maxOutputBytes`. */
  truncated: boolean;
}
