import { rows } from "../requirement.ts";

/** Runtimes whose agents are programs in a VM. */
export const programAgents = rows("agent-clis", {
  "runtime.command": "a program's output is the reply, and its exit code decides",
  "runtime.no-orphan":
    "of an agent that is cancelled or closed no process is left, wherever it hid",
  "runtime.background": "what an agent's program leaves running is ended with its session",
  "runtime.pty": "prompts are typed as one paste, and the program's screen is the answer",
  "runtime.pty-quiet": "a terminal that is silent ends its turn, and its program's end is told",
  "acp.turn":
    "an ACP agent's text, thoughts, plans and tools are told, and the reply is what came last",
  "acp.permission": "a permission is answered by its kind, never by its place",
  "acp.permission-none": "where an agent offers no way to allow a tool once, it is not allowed",
  "acp.unasked": "a tool that ran without asking, and may not, ends the turn as denied",
  "acp.own-tool": "a tool of the session is asked about at its door, not twice",
  "acp.cancel":
    "a cancelled turn is cancelled, whatever the agent calls it, and the next one works",
  "acp.stop": "an agent's stop reasons and errors have one meaning each",
  "acp.gateway": "how a model failed is what the gateway saw, whatever the agent says",
  "acp.resume": "an agent goes on with its session, or the session is lost",
  "acp.model": "a model is switched by what the agent offers, or said to be refused",
  "acp.system": "the system's words come once, before the first prompt",
  "acp.bad-input": "what is no message is kept and the session goes on; another version is refused",
  "acp.exit": "an agent that goes in the middle is an exit, aborted before it had a session",
  "acp.recorded": "Gemini CLI and OpenCode do as they did when they were recorded",
  "pi.recorded": "Pi does as it did when it was recorded",
  "pi.settings":
    "Pi's model, tools and system's words are the session's, and its key is in no command line",
  "pi.resume": "a session that Pi does not know is lost, and its end in the middle is an exit",
  "pi.bad-input":
    "what is no line of Pi's is kept, and a dialog that is none of ours gets no answer",
  "pi.check": "another version, provider or model is refused before anything starts",
});
