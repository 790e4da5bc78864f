import * as z from "zod";

import { DEFAULTS } from "./defaults.ts";
import { Id, StreamId, VmId, VmName } from "./ids.ts";
import { ProcessExit, ProcessStart } from "./process.ts";
import { VmScope } from "./vm.ts";

/** The most columns or rows of a terminal. */
export const TERMINAL_CELLS_MAX = 1_000;

/** Columns or rows. */
export const TerminalCells = z.int().min(1).max(TERMINAL_CELLS_MAX);

/** In character cells. */
export const TerminalSize = z.object({ cols: TerminalCells, rows: TerminalCells });
export type TerminalSize = z.infer<typeof TerminalSize>;

/** Bytes of output that a terminal keeps for whoever attaches later. */
export const ScrollbackBytes = z
  .int()
  .min(DEFAULTS.terminalWindowBytes)
  .max(1024 * 1024);

export const TerminalRef = VmScope.extend({
  /** The id of its process, too. */
  terminalId: Id,
});

/** Like a process's start, but for its streams: those come by `terminal.attach`. */
export const TerminalOpen = TerminalRef.extend({
  ...ProcessStart.pick({ argv: true, cwd: true, env: true, timeoutMs: true }).shape,
  ...TerminalSize.shape,
  scrollbackBytes: ScrollbackBytes.optional(),
});
export type TerminalOpen = z.infer<typeof TerminalOpen>;

export const TerminalInfo = z.object({
  terminalId: Id,
  vmId: VmId,
  vmName: VmName.optional(),
  pid: z.int(),
  command: z.string(),
  cols: z.int(),
  rows: z.int(),
  state: z.enum(["running", "exited"]),
  exit: ProcessExit.optional(),
});
export type TerminalInfo = z.infer<typeof TerminalInfo>;

export const TerminalAttach = TerminalRef.extend({
  /** The client's id: a repeated request goes on with the same attachment, on this connection. */
  attachmentId: Id,
  stream: StreamId,
  /**
   * `read`: its output; the program waits for the reader that is furthest. `look`: the same, and
   * nobody waits. `write`: its input.
   */
  mode: z.enum(["read", "look", "write"]),
  /** Of the output: the first byte wanted. Default 0. What is no longer kept is skipped. */
  from: z.int().min(0).optional(),
  /** A repeated request after a lost connection or sidecar: the bytes of output that came. */
  received: z.int().min(0).optional(),
});
export type TerminalAttach = z.infer<typeof TerminalAttach>;

export const TerminalAttached = z.object({
  terminal: TerminalInfo,
  /** Where its output ends now. Not told of an attachment that goes on. */
  end: z.int().optional(),
});
export type TerminalAttached = z.infer<typeof TerminalAttached>;
