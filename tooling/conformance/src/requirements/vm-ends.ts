import { rows } from "../requirement.ts";

/** How limits and holders end what runs, and what is said of it. */
export const vmEnds = rows("security", {
  S42: "what AgentOS prints of a guest can't drive the terminal: messages, tables and JSON",
}).concat(
  rows(
    "design",
    {
      "limited.memory":
        "a program that is killed for its VM's memory ends as limited, with the limit's name and value, also below a shell",
      "limited.own-kill": "a SIGKILL that is no limit's doing is signaled",
      "limited.moment":
        "a kill for memory inside a program that goes on is told while it goes on, not at its end",
      "limited.wall":
        "an exec and a process that run when the VM's time is over end as limited, with their output",
      "limited.output": "dropped output says which limit it was beyond, and is no end",
      "limited.disk": "a full disk is an event with its value",
      "limited.command":
        "agentos says on stderr which limit ended the guest, and exits as a shell does",
      "log.now": "a log can be read up to what is written now, and says where that was",
      "end.channels": "an end says what was written by then and which channels others still hold",
      "end.named": "vm.end ends a named VM for good, frees its name, and is told to who holds it",
      "end.repeated": "ending what has ended, by id or name, says so and changes nothing",
      "end.fence": "a holder that was taken over can't end the VM",
      "end.past": "a VM that an earlier life of the sidecar ended is VM_ENDED, with the reason",
      "list.none": "listing without a sidecar gives none and starts none",
      "list.killed": "listing after a kill -9 of the sidecar gives what it left",
    },
    "linux",
  ),
);
