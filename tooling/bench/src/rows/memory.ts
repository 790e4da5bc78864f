import { readFileSync } from "node:fs";

import { AgentOs } from "@agentos/client";

import { atLeast, atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";

const VMS = 500;
const MIB = 1024 * 1024;

function availableBytes(): number {
  const line = /MemAvailable:\s+(\d+) kB/.exec(readFileSync("/proc/meminfo", "utf8"));
  return Number(line?.[1] ?? Number.NaN) * 1024;
}

function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? Number.NaN) * 1024;
}

/** What an idle VM costs the machine, kernel memory included, and the sidecar alone. */
export const memoryRow: Row = {
  name: "memory",
  run: async () => {
    await using first = await AgentOs.create();
    const { sidecarPid } = await first.info();
    const idle = residentBytes(sidecarPid);
    const before = availableBytes();
    const all = await Promise.all(Array.from({ length: VMS }, () => AgentOs.create()));
    const perVm = (before - availableBytes()) / VMS;
    const answers = await Promise.all(all.map((os) => os.exec(["/bin/true"])));
    await Promise.all(all.map((os) => os.dispose()));
    const answered = answers.filter(({ exitCode }) => exitCode === 0).length;
    return {
      row: `${VMS} idle VMs (${answered} answered an exec); the sidecar`,
      unit: "MiB",
      variants: {
        "per VM": summarise([perVm / MIB]),
        "sidecar RSS": summarise([idle / MIB]),
      },
      goals: [
        atMost("MiB per VM", perVm / MIB, 1.5),
        atLeast("VMs that answered", answered, VMS),
        atMost("sidecar RSS, MiB", idle / MIB, 110),
      ],
    };
  },
};
