import * as z from "zod";

import { Id, StreamId } from "./ids.ts";
import { Nothing } from "./nothing.ts";
import {
  ChannelBytes,
  ProcessExit,
  ProcessStart,
  ProcessStarted,
  ProcessSummary,
  Signal,
  SignalScope,
} from "./process.ts";
import { VmScope } from "./vm.ts";

const ProcessRef = VmScope.extend({ processId: Id });

/** The methods about processes and their streams; a part of METHODS. */
export const PROCESS_METHODS = {
  "process.exec": {
    scope: "vm",
    summary: "Start a process; answered when it ends. Its bytes travel on `stream`.",
    params: ProcessStart,
    result: ProcessExit,
  },
  "process.spawn": {
    scope: "vm",
    summary: "Start a process; answered when it runs. `process.exited` tells its end.",
    params: ProcessStart,
    result: ProcessStarted,
  },
  "process.signal": {
    scope: "vm",
    summary: "Send a signal to a process, its group or every process of its session.",
    params: ProcessRef.extend({ signal: Signal, scope: SignalScope.optional() }),
    result: Nothing,
  },
  "process.release": {
    scope: "vm",
    summary: "Forget a process and its held output. It runs on; what it still writes is dropped.",
    params: ProcessRef,
    result: Nothing,
  },
  "process.list": {
    scope: "vm",
    summary: "The processes started through AgentOS, with the ends of those not released.",
    params: VmScope,
    result: z.object({ processes: z.array(ProcessSummary) }),
  },
  "process.log": {
    scope: "vm",
    summary:
      "Read a logged process's output on `stream`, from offsets; gaps are jumps of the offset.",
    params: ProcessRef.extend({
      stream: StreamId,
      stdoutFrom: z.int().min(0).optional(),
      stderrFrom: z.int().min(0).optional(),
    }),
    /** `written`: bytes of each channel when it was opened. */
    result: ProcessSummary.extend({ written: ChannelBytes.optional() }),
  },
  "stream.close": {
    scope: "vm",
    summary:
      "Stop a file stream, a log reader, a terminal's attachment or a connection to a program of this connection.",
    params: VmScope.extend({ stream: StreamId }),
    result: Nothing,
  },
} as const;
