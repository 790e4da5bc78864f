import {
  AgentOs,
  isAgentOsError,
  type ProcessInfo,
  type VmInfo,
  type VmStats,
} from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { formatAge, formatBytes, formatDuration } from "../output/quantity.ts";
import { type Column, formatTable } from "../output/table.ts";
import { formatSize, formatUse, type VmWithUse } from "../output/vm-use.ts";
import { write, writeJson } from "../output/write.ts";

export interface PsOptions {
  readonly use?: boolean;
}

const NO_VMS = "no VMs\n";
const NO_SIDECAR = "no VMs: no sidecar runs\n";
/** This many VMs are asked at once. */
const ASKED_AT_ONCE = 8;

const VM_COLUMNS: readonly Column<VmInfo>[] = [
  { title: "NAME", value: (vm) => vm.name ?? "-" },
  { title: "VM", value: (vm) => vm.vmId },
  { title: "DRIVER", value: (vm) => vm.driver },
  { title: "AGE", value: (vm) => formatAge(Date.now() - Date.parse(vm.createdAt)), align: "right" },
  { title: "LEASES", value: (vm) => String(vm.leases), align: "right" },
];

const USE_COLUMNS: readonly Column<VmWithUse>[] = [
  ...VM_COLUMNS,
  {
    title: "MEMORY",
    value: ({ use, limits }) => formatUse(use?.memoryBytes, limits.memoryBytes, formatSize),
    align: "right",
  },
  {
    title: "PROCS",
    value: ({ use, limits }) => formatUse(use?.processes, limits.pids, String),
    align: "right",
  },
  {
    title: "DISK",
    value: ({ use, limits }) => formatUse(use?.diskBytes, limits.diskBytes, formatSize),
    align: "right",
  },
  {
    title: "OUTPUT",
    value: ({ use, limits }) => formatUse(use?.outputBytes, limits.outputBytes, formatSize),
    align: "right",
  },
  {
    title: "NET",
    value: ({ use, limits }) => formatUse(passedBytes(use), limits.networkBytes, formatSize),
    align: "right",
  },
  {
    title: "TTYS",
    value: ({ use, limits }) => formatUse(use?.terminals, limits.terminals, String),
    align: "right",
  },
  {
    title: "CPU",
    value: ({ use }) => (typeof use?.cpuMs === "number" ? formatDuration(use.cpuMs) : "-"),
    align: "right",
  },
];

function passedBytes(use: VmStats | null): number | undefined {
  return use?.network && use.network.sentBytes + use.network.receivedBytes;
}

const PROCESS_COLUMNS: readonly Column<ProcessInfo>[] = [
  { title: "PID", value: (process) => String(process.pid), align: "right" },
  { title: "PPID", value: (process) => String(process.ppid), align: "right" },
  { title: "STATE", value: (process) => process.state },
  { title: "CPU", value: (process) => formatDuration(process.cpuMs), align: "right" },
  { title: "MEMORY", value: (process) => formatBytes(process.rssBytes), align: "right" },
  { title: "PROCESS", value: (process) => process.processId ?? "-" },
  { title: "COMMAND", value: (process) => process.command },
];

/** `agentos ps [--use] [VM]`. */
export async function ps(
  io: Io,
  globals: GlobalOptions,
  vm: string | undefined,
  { use }: PsOptions,
): Promise<number> {
  if (vm !== undefined) await listProcesses(io, globals, vm);
  else if (use === true) return await listUse(io, globals);
  else await listVms(io, globals);
  return EXIT_CODE.ok;
}

async function listVms(io: Io, { pool, json }: GlobalOptions): Promise<void> {
  const vms = await AgentOs.list({ pool });
  const running = vms.length > 0 || (await isRunning(pool));
  if (json === true) return await writeJson(io.stdout, { running, vms });
  if (vms.length > 0) await write(io.stdout, formatTable(VM_COLUMNS, vms));
  else await write(io.stdout, running ? NO_VMS : NO_SIDECAR);
}

/** A listing starts no sidecar. */
async function isRunning(pool: string | undefined): Promise<boolean> {
  const sidecar = await AgentOs.getSharedSidecar({ pool });
  return (await sidecar.find()) !== undefined;
}

/** Holds each VM for the time of one question, which thaws a frozen one: so a listing asks only when told to. */
async function listUse(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  try {
    const listed = await AgentOs.list({ pool, signal: interrupts.signal });
    const vms = await readUse(listed, pool, interrupts.signal);
    if (json === true) await writeJson(io.stdout, { vms });
    else await write(io.stdout, vms.length === 0 ? NO_VMS : formatTable(USE_COLUMNS, vms));
    return EXIT_CODE.ok;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

async function readUse(
  vms: readonly VmInfo[],
  pool: string | undefined,
  signal: AbortSignal,
): Promise<VmWithUse[]> {
  const read: VmWithUse[] = [];
  for (let at = 0; at < vms.length; at += ASKED_AT_ONCE) {
    const asked = vms.slice(at, at + ASKED_AT_ONCE).map(async (vm) => ({
      ...vm,
      use: await statsOf(vm, pool, signal),
    }));
    // All settle, so that no lease is left when one of them fails.
    // oxlint-disable-next-line no-await-in-loop -- A thousand at once would be a burst.
    const settled = await Promise.allSettled(asked);
    for (const result of settled) {
      if (result.status === "rejected") throw result.reason;
      read.push(result.value);
    }
  }
  return read;
}

async function statsOf(
  { vmId }: VmInfo,
  pool: string | undefined,
  signal: AbortSignal,
): Promise<VmStats | null> {
  try {
    await using os = await AgentOs.attach(vmId, { pool, signal });
    return await os.stats();
  } catch (error) {
    // It ended after it was listed.
    if (isAgentOsError(error, "NOT_FOUND") || isAgentOsError(error, "VM_ENDED")) return null;
    throw error;
  }
}

async function listProcesses(io: Io, { pool, json }: GlobalOptions, vm: string): Promise<void> {
  await using os = await AgentOs.attach(vm, { pool });
  const processes = await os.processes();
  if (json === true) return await writeJson(io.stdout, { vmId: os.id, processes });
  await write(io.stdout, formatTable(PROCESS_COLUMNS, processes));
}
