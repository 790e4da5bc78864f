import { rows } from "../requirement.ts";

/** What a VM may use, and what happens to one that wants more. */
export const limits = [
  ...rows(
    "limits",
    {
      "limits.truth":
        "info() and the driver's report say the same of each limit, and that is what happens",
      "limits.memory":
        "a memory bomb ends at the limit, its VM and the neighbours go on, and the hit is told",
      "limits.pids": "a fork bomb stops at the limit and its VM can be used afterwards",
      "limits.cpus": "a busy program gets its part of a processor",
      "limits.disk": "a full disk is ENOSPC and ends no program",
      "limits.open-files": "a process gets no more files than it may have",
      "limits.watches": "programs watch no more files than they may, and can't raise it",
      "limits.live":
        "limits of a live VM are changed, or what can't be is refused by name and nothing is changed",
      "limits.live-disk":
        "the size of a disk in memory and the count of watches are changed while the VM runs, not below what is there",
      "inside.processors": "nproc agrees with the limit on processors",
      "inside.memory": "/proc/meminfo agrees with a limit on memory that holds",
      "limits.wall-time": "a VM ends at its time and says so",
      "limits.required":
        "a required limit is hard, or the VM is refused with UNSUPPORTED_LIMIT and the reason",
      "limits.lasting-disk":
        "the disk of a named VM is counted, and programs that fill it end as limited, until there is room",
      "limits.output":
        "programs that have written all that they may end as limited, until there is more",
      "limits.output-rate": "output comes no more quickly than it may, and whole",
      "limits.terminals": "no more terminals run than may",
      "limits.near": "where more than four fifths of a limit are used, that is told once",
      "bad.held-limits":
        "nonsense is INVALID_ARGUMENT, and what is held only softly can't be required: UNSUPPORTED_LIMIT",
      "limits.nonsense": "limits that mean nothing are INVALID_ARGUMENT",
      "limits.stats": "stats() tells the use of memory, processors, processes and disk, or null",
      "limits.dispose": "dispose leaves no cgroup",
      "limits.user": "an ordinary user gets the same, or is told what is not to be had",
    },
    "linux",
  ),
  ...rows("limits", {
    "limits.network": "connections and bytes out of a VM are held to their limits, and told",
  }),
];
