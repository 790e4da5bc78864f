import type { VmHandle, VmTerminals } from "@agentos/core";
import { AgentOsError, type TerminalInfo, type TerminalSize } from "@agentos/protocol";

import type { HostedProcess } from "./hosted-process.ts";
import type { Vm } from "./vm.ts";

/** A process on a terminal. */
export type HostedTerminal = HostedProcess & { terminal: TerminalSize };

export function isTerminal(process: HostedProcess): process is HostedTerminal {
  return process.terminal !== undefined;
}

/** A terminal, as clients are told. */
export function terminalInfo({ id: vmId, name }: Vm, process: HostedTerminal): TerminalInfo {
  const { processId: terminalId, pid, command, state, exit } = process.summary;
  const { cols, rows } = process.terminal;
  const base = { terminalId, vmId, pid, command, cols, rows, state };
  return {
    ...base,
    ...(name === undefined ? {} : { vmName: name }),
    ...(exit === undefined ? {} : { exit }),
  };
}

/** Throws `UNSUPPORTED` where the VM's driver can't make any. */
export function terminalsOf(handle: VmHandle): VmTerminals {
  if (handle.terminals !== undefined) return handle.terminals;
  throw new AgentOsError("UNSUPPORTED", `a VM of ${handle.isolation} has no terminals`, {
    what: "terminals",
    instead: 'Run the program without one (exec, spawn), or in a VM of the driver "linux".',
  });
}

/** Throws `NOT_FOUND`. */
export function terminalOf(vm: Vm, id: string): HostedTerminal {
  const process = vm.processes.find(id);
  return assertTerminal(process, id);
}

export function assertTerminal(process: HostedProcess | undefined, id: string): HostedTerminal {
  if (process !== undefined && isTerminal(process)) return process;
  throw new AgentOsError("NOT_FOUND", `no terminal ${id}: never opened, or closed`, {
    kind: "terminal",
    id,
  });
}

/** How many of a VM's terminals run. */
export function runningTerminals({ processes }: Vm): number {
  return processes.terminals().filter(({ exit }) => exit === undefined).length;
}
