import { constants } from "node:os";

import type { VmProcessExit } from "@agentos/core";

import { PayloadReader } from "./payload-reader.ts";
import { violation } from "./violation.ts";

const EXITED = 0;
const SIGNALED = 1;
const TIMED_OUT = 1;
const LAST_SIGNAL = 64;
const FIRST_REAL_TIME_SIGNAL = 32;
const names = new Map<number, string>(
  Object.entries(constants.signals)
    .toReversed()
    .map(([name, code]) => [code, name]),
);

/** Reads a whole EXIT frame. Throws `PROTOCOL_ERROR`. */
export function readProcessExit(frame: Uint8Array): VmProcessExit {
  const payload = PayloadReader.ofFrame(frame);
  const cause = payload.u8();
  const status = payload.u32();
  const reason = payload.u8();
  const open = payload.u8();
  const stdoutBytes = payload.u64();
  const stderrBytes = payload.u64();
  const durationUs = payload.u64();
  payload.finish();
  if (cause > SIGNALED || reason > TIMED_OUT || open > 3) throw violation("an EXIT that is none");
  if (cause === EXITED && status > 255) throw violation(`an exit code of ${status}`);
  return {
    exitCode: cause === EXITED ? status : null,
    signal: cause === SIGNALED ? signalName(status) : null,
    timedOut: reason === TIMED_OUT,
    stdoutBytes,
    stderrBytes,
    stdoutOpen: (open & 1) !== 0,
    stderrOpen: (open & 2) !== 0,
    durationMs: durationUs / 1000,
  };
}

function signalName(code: number): string {
  const name = names.get(code);
  if (name !== undefined) return name;
  if (code < FIRST_REAL_TIME_SIGNAL || code > LAST_SIGNAL) throw violation(`a signal of ${code}`);
  return `SIGRTMIN+${code - FIRST_REAL_TIME_SIGNAL}`;
}
