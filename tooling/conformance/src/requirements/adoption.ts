import { rows } from "../requirement.ts";

/** What a client keeps when its sidecar or its connection goes away under it, and what nothing leaves behind. */
export const adoption = rows(
  "design",
  {
    "adopt.stdin":
      "stdin that a killed sidecar had not passed on arrives, once, in order, and ends",
    "adopt.spawn": "a spawned process and a log are read, written and ended over the next sidecar",
    "adopt.create": "a create in the moment of the kill works",
    "adopt.unreachable":
      "a new sidecar that its client can't talk to is ended, and leaves the VMs that it took over to the next one",
    "adopt.once": "a request repeated after a kill runs nothing twice",
    "resume.transfer": "random cuts of the connection during transfers both ways change no byte",
    "resume.connection":
      "execs, stdin, spawned processes, logs and listings go on over the next connection to a living sidecar",
    "leak.cycles":
      "after cycles of VMs made and disposed, memory, descriptors, processes, mounts, cgroups and files are where they were",
    "idle.cpu": "an idle VM and an idle sidecar use no CPU",
  },
  "linux",
);
