export { FakeClock } from "./fake-clock.ts";
export { FakeDriver, type FakeDriverOptions } from "./fake-driver.ts";
export type { FakeNetwork } from "./fake-network.ts";
export type { FakeProcess } from "./fake-process.ts";
export type { FakeProgram, ProgramContext } from "./fake-program.ts";
export { floodBytes } from "./fake-programs.ts";
export { fakeSessionVm } from "./fake-session-vm.ts";
export type { FakeVm } from "./fake-vm.ts";
export { Gate } from "./gate.ts";
export { MemoryTree } from "./memory-tree.ts";
export { PIPE_BYTES } from "./piped-output.ts";
export { RecordingSink } from "./recording-sink.ts";
export {
  type Script,
  ScriptedAgent,
  ScriptedRuntime,
  type ScriptedRuntimeOptions,
  type ScriptedTurn,
} from "./scripted-runtime.ts";
