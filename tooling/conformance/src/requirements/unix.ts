import { rows } from "../requirement.ts";

/** Plain Unix semantics inside a VM, as for an ordinary user without network. */
export const unix = rows(
  "unix semantics",
  {
    "unix.sigpipe": "a pipeline's writer ends by SIGPIPE",
    "unix.pipefail": "pipeline exit codes are true",
    "unix.background": "background jobs and wait work",
    "unix.trap": "traps run",
    "unix.group": "a process group is signalled as one",
    "unix.timeout": "timeout ends a program with 124",
    "unix.node-child": "node starts child processes",
    "unix.python-child": "python starts child processes",
    "unix.reopen": "/dev/stdout and /dev/stderr can be opened again",
    "unix.size": "files have exactly the size written",
    "unix.ownership": "files belong to the VM's user",
    "unix.big-output": "100 MiB of output arrives whole",
    "unix.big-file": "a 100 MiB file goes in and out whole",
    "unix.quick": "1,000 quick execs lose no trailing byte",
    "unix.tools": "git, node and a compiler run",
  },
  "linux",
);
