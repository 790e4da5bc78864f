import { frameStream } from "@agentos/protocol";

import { PayloadReader } from "./payload-reader.ts";
import { violation } from "./violation.ts";

/** A process that PID 1 knows, with what of its streams has been produced and acknowledged. */
export interface TableEntry {
  stream: number;
  processId: string;
  state: "running" | "exited";
  pid: number;
  flags: number;
  stdout: { acknowledged: number; produced: number };
  stderr: { acknowledged: number; produced: number };
  stdinReceived: number;
  /** Of a terminal: its size, 0 once it has ended. */
  terminal?: { cols: number; rows: number };
}

/** The flag of a process on a terminal. */
const TERMINAL = 4;
const PROCESS_ID = /^[\w.:-]{1,64}$/;

/** Reads a whole TABLE_ENTRY frame. Throws `PROTOCOL_ERROR`. */
export function readTableEntry(frame: Uint8Array): TableEntry {
  const payload = PayloadReader.ofFrame(frame);
  const state: TableEntry["state"] = payload.u8() === 0 ? "running" : "exited";
  const flags = payload.u8();
  const pid = payload.u32();
  const stdout = { acknowledged: payload.u64(), produced: payload.u64() };
  const stderr = { acknowledged: payload.u64(), produced: payload.u64() };
  const stdinReceived = payload.u64();
  const processId = payload.bytes(payload.left).toString("latin1");
  if (!PROCESS_ID.test(processId)) throw violation("a process id that is none");
  const entry = { stream: frameStream(frame), processId, state, pid, flags, stdout, stdinReceived };
  if ((flags & TERMINAL) === 0) return { ...entry, stderr };
  // It has no stderr: its size is there instead.
  const terminal = { cols: stderr.acknowledged, rows: stderr.produced };
  return { ...entry, stderr: { acknowledged: 0, produced: 0 }, terminal };
}
