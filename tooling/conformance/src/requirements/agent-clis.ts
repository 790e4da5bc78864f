import { rows } from "../requirement.ts";

/** Agents' programs: where they come from, and how their runtimes take what they do. */
export const agentClis = rows("seeds/002", {
  "agent.store": "agents' programs are installed side by side, listed and removed",
  "agent.store-verified": "a package with another hash than this build knows is refused",
  "agent.store-atomic": "an install that failed or was killed leaves nothing that counts",
  "agent.recorded": "what the real program said, said again, gives its turns, tools and usage",
  "agent.denied": "a denial reaches the model, and the tool does not run",
  "agent.host-tool": "the session's tools are offered to the agent, and run by the sidecar",
  "agent.cancel": "a cancel interrupts the agent, and the next turn works",
  "agent.model": "another model counts once the agent has confirmed it",
  "agent.compact": "an agent sums up its conversation on request",
  "agent.failures": "401, 429 and 500 are told as what they are, whatever the exit code says",
  "agent.gateway-first": "what the gateway saw of a failure comes before the agent's own words",
  "agent.lost": "an unknown conversation is RESUME_LOST",
  "agent.nothing-lost": "a conversation that was killed before its first answer begins anew",
  "agent.bad-lines": "malformed and unknown lines are kept raw, and the session goes on",
  "agent.long-line": "a line of 50 MiB is cut, and the session goes on",
  "agent.exit-code": "an exit code alone is never believed",
  "agent.aborted": "an agent that ends before it has a conversation uses no try",
  "agent.eager-id": "the agent's conversation is recorded at the first sign of it",
  "agent.stubborn": "an agent that ignores signals is killed, and nothing of it is left",
  "agent.version": "a version that a runtime was not made for is refused by its name",
  "agent.not-installed": "a missing agent's error has the line to type",
  "agent.in-vm": "a program of the store runs in a VM, and reaches its model without a key",
  "agent.adopted":
    "an agent whose sidecar was killed goes on to its turn's end, and what it says is told once",
  "agent.adopted-calls":
    "a tool of the session that ran when the sidecar was killed does not run again",
  "agent.adopted-each":
    "that holds for every runtime with a protocol of its own: words, tools and the end are told once",
  "agent.adopted-door":
    "tools that an agent reaches by the door are there again in the turn after its sidecar was killed",
  "agent.no-orphan":
    "after close, cancel, crash and the end of its VM no process of an agent is left, whatever it left behind",
  "agent.interrupted": "where an agent can't be taken over, its turn is interrupted",
  "agent.steer": "a running turn is given more to think about, and the transcript says so",
  "agent.modes": "an agent's own modes are listed and set, and one that it has not is refused",
  "agent.modes-ask": "a mode in which an agent would not ask before its tools is not offered",
  "agent.prices": "models cost what a file of one's own says, from the day that it says",
  "agent.prices-refused": "a file of prices that is not of its form is refused, and says where",
  "agent.controls-refused": "what a runtime can't do beside prompts is refused as UNSUPPORTED",
});
