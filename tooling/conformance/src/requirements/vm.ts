import { rows } from "../requirement.ts";

/** Exec, streams, files, mounts, images and ends of a VM. */
export const vm = rows(
  "VMs",
  {
    "exec.streams": "stdout and stderr are separate, the exit code true",
    "exec.signal": "a signalled process says so",
    "exec.timeout": "a timeout kills the session and says timed-out",
    "exec.cancel": "an aborted exec says cancelled, and its processes are gone",
    "exec.truncated": "output past maxOutputBytes is dropped and said",
    "exec.stdin": "stdin arrives whole and ends",
    "exec.background": "exec returns though a background child holds the pipe",
    "spawn.streams": "a spawned process is read, written, signalled and waited for",
    "spawn.back-pressure": "an unread stream stops its program, not its neighbours",
    "spawn.group": "a process group is killed as one",
    "logs.readers": "a logged process has many readers and drops the oldest",
    "files.operations": "each file operation does what Node's does",
    "files.errors": "file errors carry Node's errno",
    "files.streams": "files are streamed both ways",
    "files.tree": "a tree goes in and out with modes and links",
    "trees.many": "thousands of files go in and out as they are",
    "trees.kept": "times, hard links and holes are kept, set-id bits dropped",
    "trees.ignore": "rules leave out what they match",
    "trees.hostile":
      "what a guest makes of names, links and devices stays below the target (S14, S15, S17)",
    "trees.interrupted": "a transfer that ends in the middle is told, with the reason",
    "watch.recursive": "what programs do below a watched path is told as it happens",
    "watch.ends": "a watch ends with its reader and with what it watches",
    "watch.overflow": "what a watch did not see is told",
    "watch.snapshot": "a watch goes on after a snapshot, which it tells as something not seen",
    "trees.errors": "a tree's path that can't be is an error that names it",
    "mount.read-only": "a host directory mounted read-only can be read, not written",
    "mount.read-write": "a host directory mounted read-write shares files both ways",
    "mount.memory": "a memory mount has its size",
    "image.host":
      "the host image has system programs, a synthetic /etc, home, /tmp, /workspace and node",
    "processes.list": "the process list shows the VM's processes",
    "vm.dispose": "dispose leaves no process, mount, socket or file",
    "vm.names": "a named VM is found by its name",
    "vm.info": "info() tells id, driver, isolation, limits and sidecar",
  },
  "linux",
).concat(rows("VMs", { "exec.once": "a repeated process id starts nothing twice" }));

/** Sharing, losing and finding sidecars. */
export const lifecycle = rows(
  "lifecycle",
  {
    "pool.shared": "two programs and the command share one sidecar",
    "pool.race": "20 programs starting at once end with one sidecar",
    "pool.recovery": "after kill -9 of the sidecar the next call works with no help",
    "pool.lost": "handles whose VM is gone fail with SIDECAR_LOST, at once",
    "lease.client-killed": "a killed client leaves nothing after the grace",
    "lease.takeover": "a takeover fences the other holders",
  },
  "linux",
);
