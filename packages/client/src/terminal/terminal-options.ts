import {
  Environment,
  parseArgument,
  ScrollbackBytes,
  TerminalSize,
  VmPath,
} from "@agentos/protocol";
import * as z from "zod";

/** What a terminal is opened with. */
export interface TerminalOptions {
  /** A string goes to `/bin/sh -c`, an array to no shell. Default: bash where the VM has it, else sh. */
  command?: string | readonly string[] | undefined;
  /** Columns, 1 to 1,000. Default 80. */
  cols?: number | undefined;
  /** Lines, 1 to 1,000. Default 24. */
  rows?: number | undefined;
  /** Absolute. Default /workspace. */
  cwd?: string | undefined;
  /** `TERM` is `xterm-256color` unless it is here. */
  env?: Record<string, string> | undefined;
  /** After it every process of its session is killed. Default: none. */
  timeoutMs?: number | undefined;
  /** Output kept for whoever attaches later, 64 KiB to 1 MiB. Default 256 KiB. */
  scrollbackBytes?: number | undefined;
  /** Aborted: every process of its session is killed. */
  signal?: AbortSignal | undefined;
}

const { cols, rows } = TerminalSize.shape;

const Options = z.strictObject({
  command: z.unknown().optional(),
  cols: cols.default(80),
  rows: rows.default(24),
  cwd: VmPath.optional(),
  env: Environment.optional(),
  timeoutMs: z.int().min(1).max(0xffff_ffff).optional(),
  scrollbackBytes: ScrollbackBytes.optional(),
  signal: z.instanceof(AbortSignal, { error: "expected an AbortSignal" }).optional(),
});

/** Checks the options of `os.openTerminal`; unknown ones are refused. */
export const parseTerminalOptions = (value: TerminalOptions): z.infer<typeof Options> =>
  parseArgument(Options, value, "options");
export const parseTerminalSize = (value: TerminalSize): TerminalSize =>
  parseArgument(TerminalSize, value, "size");
