import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Pool } from "./pool.ts";

const CGROUPS = "/sys/fs/cgroup";

/** What a pool has on this machine, but for memory. */
export interface HostState {
  processes: number;
  descriptors: number;
  mounts: number;
  cgroups: string[];
  files: string[];
}

/** The sidecar, its spawner, and every process of its VMs. Those that it adopted are not among them. */
export async function pidsOf(pool: Pool): Promise<number[]> {
  return withDescendants(await pool.pid());
}

export async function hostState(pool: Pool): Promise<HostState> {
  const pids = await pidsOf(pool);
  return {
    processes: pids.length,
    descriptors: pids.reduce((sum, pid) => sum + entriesOf(`/proc/${pid}/fd`).length, 0),
    mounts: readFileSync("/proc/self/mounts", "utf8").split("\n").length,
    cgroups: cgroupsOf(pids[0] ?? 0),
    files: readdirSync(pool.directory, { recursive: true }).map(anonymous).toSorted(byText),
  };
}

/** Resident bytes of the sidecar. */
export function residentBytes(pid: number): number {
  const [, kib = "0"] =
    /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

/** Ticks of CPU that the process has used; a tick is 10 ms. */
export function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The command's name may hold spaces, and ends at the last bracket.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function withDescendants(pid: number): number[] {
  const children = entriesOf(`/proc/${pid}/task`).flatMap((task) =>
    contentOf(`/proc/${pid}/task/${task}/children`).split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(withDescendants)];
}

/** A process may be gone by now. */
function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** VMs differ in numbers and digests only. */
function anonymous(name: unknown): string {
  return String(name).replaceAll(/\d+-vm-[0-9a-f]+|\bv-[0-9a-f]+/g, "vm");
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** The cgroups that carry the sidecar's pid in their name. */
function cgroupsOf(sidecar: number): string[] {
  if (!existsSync(CGROUPS)) return [];
  const names: string[] = [];
  const walk = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const path = join(directory, entry.name);
      if (entry.name.startsWith(`agentos-${sidecar}-`)) names.push(anonymous(path));
      walk(path);
    }
  };
  walk(CGROUPS);
  return names.toSorted(byText);
}
