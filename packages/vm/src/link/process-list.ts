import type { ProcessInfo } from "@agentos/protocol";

import { PayloadReader } from "./payload-reader.ts";
import { violation } from "./violation.ts";

const MAX_PROCESSES = 2048;
const MAX_COMMAND_BYTES = 256;
/** Linux tells user space 100 ticks a second on every architecture that vmd is built for. */
const MS_PER_TICK = 10;

/** Reads the payload of a PROCESS_LIST. Throws `PROTOCOL_ERROR`. */
export function readProcessList(bytes: Uint8Array): {
  processes: ProcessInfo[];
  truncated: boolean;
} {
  const payload = new PayloadReader(bytes);
  const truncated = payload.u8() !== 0;
  const processes: ProcessInfo[] = [];
  while (payload.left > 0) {
    if (processes.length >= MAX_PROCESSES) throw violation("the process list is too long");
    processes.push(readProcess(payload));
  }
  return { processes, truncated };
}

function readProcess(payload: PayloadReader): ProcessInfo {
  const [pid, ppid, pgid, sid] = [payload.u32(), payload.u32(), payload.u32(), payload.u32()];
  const state = String.fromCharCode(payload.u8());
  payload.bigU64();
  const cpuMs = payload.u64() * MS_PER_TICK;
  const rssBytes = payload.u64();
  const length = payload.u16();
  if (length > MAX_COMMAND_BYTES) throw violation("a command line is too long");
  const command = payload.bytes(length).toString();
  if (!/^[A-Za-z]$/.test(state) || !Number.isSafeInteger(cpuMs)) {
    throw violation("a process that is none");
  }
  return { pid, ppid, pgid, sid, state, command, cpuMs, rssBytes };
}
