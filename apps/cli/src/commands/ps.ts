import { AgentOs, type ProcessInfo, type VmInfo } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { formatAge, formatBytes, formatDuration } from "../output/quantity.ts";
import { type Column, formatTable } from "../output/table.ts";
import { write, writeJson } from "../output/write.ts";

const VM_COLUMNS: readonly Column<VmInfo>[] = [
  { title: "NAME", value: (vm) => vm.name ?? "-" },
  { title: "VM", value: (vm) => vm.vmId },
  { title: "DRIVER", value: (vm) => vm.driver },
  { title: "AGE", value: (vm) => formatAge(Date.now() - Date.parse(vm.createdAt)), align: "right" },
  { title: "LEASES", value: (vm) => String(vm.leases), align: "right" },
];

const PROCESS_COLUMNS: readonly Column<ProcessInfo>[] = [
  { title: "PID", value: (process) => String(process.pid), align: "right" },
  { title: "PPID", value: (process) => String(process.ppid), align: "right" },
  { title: "STATE", value: (process) => process.state },
  { title: "CPU", value: (process) => formatDuration(process.cpuMs), align: "right" },
  { title: "MEMORY", value: (process) => formatBytes(process.rssBytes), align: "right" },
  { title: "PROCESS", value: (process) => process.processId ?? "-" },
  { title: "COMMAND", value: (process) => process.command },
];

/** `agentos ps [VM]`. */
export async function ps(io: Io, globals: GlobalOptions, vm: string | undefined): Promise<number> {
  if (vm === undefined) await listVms(io, globals);
  else await listProcesses(io, globals, vm);
  return EXIT_CODE.ok;
}

async function listVms(io: Io, { pool, json }: GlobalOptions): Promise<void> {
  const vms = await AgentOs.list({ pool });
  if (json === true) return await writeJson(io.stdout, { vms });
  await write(io.stdout, vms.length === 0 ? "no VMs\n" : formatTable(VM_COLUMNS, vms));
}

async function listProcesses(io: Io, { pool, json }: GlobalOptions, vm: string): Promise<void> {
  await using os = await AgentOs.attach(vm, { pool });
  const processes = await os.processes();
  if (json === true) return await writeJson(io.stdout, { vmId: os.id, processes });
  await write(io.stdout, formatTable(PROCESS_COLUMNS, processes));
}
