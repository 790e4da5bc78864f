import { rows } from "../requirement.ts";

/** What only the virtual driver does, or does not. */
export const virtual = rows(
  "the virtual driver",
  {
    "virtual.named": "it is taken only where it is asked for by name",
    "virtual.label": "info() says that it is no security boundary",
    "virtual.output": "output comes while the script runs, and a slow reader stops the script",
    "virtual.unsupported": "what it lacks is UNSUPPORTED, with what to use instead",
    "virtual.runaway": "an endless loop ends at its time-out, and at the limit of commands",
    "virtual.disk": "a full disk is ENOSPC and told, and its VM goes on",
    "virtual.memory": "a memory bomb ends the VMs of its worker, which are told, and no others",
    "virtual.stuck":
      "a script that nothing stops has its worker ended: the VMs in it are told, and no others",
    "virtual.copies": "host directories are copied in, and come out by download",
    "virtual.lost": "a VM ends with its sidecar, and says so",
  },
  "virtual",
);
