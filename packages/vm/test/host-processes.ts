import { readdir, readFile } from "node:fs/promises";

/** The pids of everything below this process, in order: spawners, VMs and what runs in them. */
export async function hostProcesses(): Promise<number[]> {
  const names = await readdir("/proc");
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map<number, number>();
  await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => undefined);
      const [state, parent] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
      if (state !== undefined && state !== "Z") parents.set(pid, Number(parent));
    }),
  );
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === process.pid || isBelow(parent));
  };
  return pids.filter(isBelow).toSorted((a, b) => a - b);
}

/** Whether a process of the host runs. */
export async function isHostProcess(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => undefined);
  return stat !== undefined && !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
}
