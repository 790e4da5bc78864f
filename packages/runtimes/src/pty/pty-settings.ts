import type { SessionSpec, TerminalSize } from "@agentos/protocol";

import { ScreenPattern } from "./screen-pattern.ts";

/** How a session's program on a terminal is used. */
export interface PtySettings {
  readonly size: TerminalSize;
  /** Its screen, when it takes input. Undefined: silence is all there is to go by. */
  readonly ready: ScreenPattern | undefined;
  readonly quietMs: number;
  readonly submit: string;
  readonly interrupt: string;
}

/** Silence after which a program without a pattern is taken for done. */
const QUIET_MS = 3_000;
/** The same where its screen says so too. */
const QUIET_WITH_PATTERN_MS = 300;

/** Throws `INVALID_ARGUMENT` for a pattern that is none. */
export function ptySettings({ terminal = {} }: SessionSpec): PtySettings {
  const { cols = 120, rows = 40, submit = "\r", interrupt = "\u0003" } = terminal;
  const ready =
    terminal.ready === undefined
      ? undefined
      : new ScreenPattern(terminal.ready, "session.terminal.ready");
  const { quietMs = ready === undefined ? QUIET_MS : QUIET_WITH_PATTERN_MS } = terminal;
  return { size: { cols, rows }, ready, quietMs, submit, interrupt };
}
