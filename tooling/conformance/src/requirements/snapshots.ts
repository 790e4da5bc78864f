import { rows } from "../requirement.ts";

/** Frozen files: snapshots, forks, and disks that outlive their VM. */
export const snapshots = rows(
  "isolation",
  {
    "snapshot.isolated":
      "a VM that begins with a snapshot and the VM that it was taken of never see what the other writes later, also where programs held files and directories",
    "snapshot.named":
      "a snapshot is named once, listed, begun from and removed; an unknown or removed one is NOT_FOUND",
    "snapshot.in-use": "a snapshot is not removed while a VM that began with it lives: IN_USE",
    "snapshot.fork": "fork(n) gives n VMs with the files and limits, and leaves no snapshot",
    "snapshot.disk":
      "a named VM's files are there again after its sidecar has ended, and gone with vm.end",
    "S36.forks": "environment and secrets of a VM are in none of its forks",
  },
  "linux",
);
