import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";

/** What figures depend on, and nothing that names the machine. */
export interface MachineFacts {
  readonly commit: string;
  readonly node: string;
  readonly kernel: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly cgroups: "none" | "v1" | "v2" | "hybrid";
  readonly user: "root" | "ordinary";
  readonly loadAverage: number | undefined;
}

export function machineFacts(): MachineFacts {
  return {
    commit: commit(),
    node: process.version,
    kernel: release(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    cgroups: cgroups(),
    user: process.getuid?.() === 0 ? "root" : "ordinary",
    loadAverage: loadavg()[0],
  };
}

/** `-dirty`: not what was committed. */
function commit(): string {
  const options = { cwd: import.meta.dirname, encoding: "utf8" } as const;
  const { stdout } = spawnSync("git", ["describe", "--always", "--dirty", "--exclude=*"], options);
  return stdout.trim() || "unknown";
}

function cgroups(): MachineFacts["cgroups"] {
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  const old = / cgroup rw/.test(mounts);
  const unified = / cgroup2 rw/.test(mounts);
  if (old && unified) return "hybrid";
  if (old) return "v1";
  return unified ? "v2" : "none";
}
