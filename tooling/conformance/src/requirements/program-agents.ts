import { rows } from "../requirement.ts";

/** Runtimes whose agents are programs in a VM. */
export const programAgents = rows("agent-clis", {
  "runtime.command": "a program's output is the reply, and its exit code decides",
  "runtime.no-orphan":
    "of an agent that is cancelled or closed no process is left, wherever it hid",
  "runtime.background": "what an agent's program leaves running is ended with its session",
  "runtime.pty": "prompts are typed as one paste, and the program's screen is the answer",
  "runtime.pty-quiet": "a terminal that is silent ends its turn, and its program's end is told",
});
