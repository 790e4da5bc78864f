import { rows } from "../requirement.ts";

/**
 * What a hostile program in a VM can't do to the host, the sidecar and its neighbours: rows S14 to
 * S35 of the security requirements. S14 and S16 are with the probes; S17 and S18 of images, S33 and
 * S34 of the network have ids of their own too.
 */
export const walls = rows(
  "security",
  {
    S15: "links that a guest makes in a host mount, hard and soft, lead to nothing outside of it, and no mount goes through one",
    S17: "what an archive or a tree brings stays below its target, without set-id bits and devices",
    S19: "every way to write, and every count of the kernel, ends at the VM's own size",
    S20: "control files that a guest leaves are executed by nothing of ours on the host",
    S21: "a guest's git repository starts no program on the host",
    S22: "a fork bomb ends at its VM's processes; host and neighbours answer",
    S23: "a memory bomb ends one program of its VM at most",
    S24: "programs that spin get their VM's part of the processors, and neighbours answer",
    S25: "a flood of files and pipes ends at each process's limit, and the sidecar opens more",
    S26: "a flood of output is cut or waits, and costs the sidecar a bounded memory",
    S27: "what a VM's programs leave behind them ends with it",
    S28: "no signal leaves the VM",
    S29: "arguments and environments of the host's processes are nowhere in /proc",
    S30: "nothing of the caller's environment reaches the sidecar, vmd or a VM",
    S31: "a VM that can't have its walls is refused, and info() says which are up",
    S32: "a VM whose first process is killed ends alone, and no exit is made up",
    S35: "ICMP, host sockets without a file, raw sockets and virtual ones lead nowhere",
  },
  "linux",
);
