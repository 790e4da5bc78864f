export type { Clock } from "./clock.ts";
export type { FrameSink, FrameSource } from "./frame-sink.ts";
export type {
  AdoptedProcess,
  AdoptedVm,
  LimitHit,
  VmDriver,
  VmEnding,
  VmHandle,
  VmRecord,
  VmRequest,
  VmUse,
} from "./vm-driver.ts";
export type { ReadRequest, VmFiles, VmWrite, WriteRequest } from "./vm-files.ts";
export type { ProcessRequest, VmProcess, VmProcessExit } from "./vm-process.ts";
