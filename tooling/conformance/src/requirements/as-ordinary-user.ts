/**
 * What of a behaviour can't hold when the sidecar's user is not root, and what holds instead. Each
 * id's scenario checks the one or the other, by what the VM says of itself.
 */
export const asOrdinaryUser: Readonly<Record<string, string>> = {
  "limits.memory":
    "without a cgroup of the user's own memoryBytes is none: the bomb gets its memory, and nothing is told",
  "limited.memory": "without a cgroup of the user's own nothing is killed, and it exits with 0",
  "limited.moment": "without a cgroup of the user's own nothing is killed, and nothing is told",
  "limits.cpus": "without a cgroup of the user's own cpus is none: the program gets a processor",
  "limits.live":
    "without a cgroup of the user's own none of them can be changed, and each is refused by name",
  "inside.processors":
    "without a cgroup of the user's own nothing holds cpus, and nproc tells the machine's",
  "inside.memory":
    "without a cgroup of the user's own nothing holds memoryBytes, and the machine's is shown",
  "limits.pids": "held by RLIMIT_NPROC without a cgroup, which tells of no hit",
  "limits.required": "memoryBytes and cpus are refused where there is no cgroup of the user's own",
  "limits.stats":
    "without a cgroup memoryBytes is the sum of the processes' resident memory, and cpuMs is null",
  "limits.dispose": "there is no cgroup to leave where none could be made",
  "hole.1": "the VM's user is the sidecar's, or one of its subordinate ids; never host uid 0",
  "hole.7": "a directory of the user's own is mounted as it is, not by mapOwner",
  "mount.read-only": "a directory of the user's own is mounted as it is, not by mapOwner",
  "mount.read-write": "a directory of the user's own is mounted as it is, not by mapOwner",
};

/** Ids of the linux driver that run only as whoever runs the tests, and why. */
export const asRunnerOnly: Readonly<Record<string, string>> = {
  "limited.command": "a test of the command, whose package the scenarios do not drive",
  "bad.epoch": "the driver without a sidecar: the secret and the epoch are the same for both",
  "docs.run": "the pages' programs are compiled in the clone",
  "pack.all": "who installs is who runs the tests",
  "pack.contents": "who installs is who runs the tests",
  "pack.types": "who installs is who runs the tests",
  "pack.program": "who installs is who runs the tests",
  "pack.command": "who installs is who runs the tests",
  "pack.size": "who installs is who runs the tests",
  "pack.old-node": "who installs is who runs the tests",
  "pack.peer": "who installs is who runs the tests",
  "vmd.refuses": "packing makes no VM",
  "vmd.cross": "building makes no VM",
  "vmd.reproducible": "building makes no VM",
  "vmd.provenance": "packing makes no VM",
  "vmd.hello": "the hello is the same for both",
  "terminal.command": "a test of the command, whose package the scenarios do not drive",
  "terminal.detach": "a test of the command, whose package the scenarios do not drive",
  "terminal.no-terminal": "a test of the command, whose package the scenarios do not drive",
};
