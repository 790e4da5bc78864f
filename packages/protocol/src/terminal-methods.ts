import * as z from "zod";

import { Nothing } from "./nothing.ts";
import {
  TerminalAttach,
  TerminalAttached,
  TerminalInfo,
  TerminalOpen,
  TerminalRef,
  TerminalSize,
} from "./terminal.ts";

/** The methods about terminals; a part of METHODS. */
export const TERMINAL_METHODS = {
  "terminal.open": {
    scope: "vm",
    summary: "Start a process on a terminal of its own. `process.exited` tells its end.",
    params: TerminalOpen,
    result: TerminalInfo,
  },
  "terminal.attach": {
    scope: "vm",
    summary: "Read a terminal's output, or write its input, on `stream`. Many may.",
    params: TerminalAttach,
    result: TerminalAttached,
  },
  "terminal.resize": {
    scope: "vm",
    summary: "Set a terminal's size. What runs in it gets SIGWINCH.",
    params: TerminalRef.extend(TerminalSize.shape),
    result: Nothing,
  },
  "terminal.info": {
    scope: "vm",
    summary: "One terminal.",
    params: TerminalRef,
    result: TerminalInfo,
  },
  "terminal.list": {
    scope: "user",
    summary: "The terminals of the user's VMs.",
    params: Nothing,
    result: z.object({ terminals: z.array(TerminalInfo) }),
  },
} as const;
