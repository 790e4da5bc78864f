import { rows } from "../requirement.ts";

/** Acceptance cases and semantics of sessions that go across the engine's parts. */
export const sessionCases = rows("sessions", {
  "session.case-31":
    "what is told up to a turn's end is delivered before it, what comes later is not",
  "session.case-45": "each turn's hooks are told their own turn, and nothing of the one before",
  "session.case-47": "hooks of start and end fire once each, the end's before the agent's end",
  "session.case-61": "a subagent has its own id, tools, life and usage, and ends no parent's turn",
  "session.case-62": "what can't be a trigger is refused, and triggers stop with the close",
  "session.case-66": "an agent that dies before it has a session uses up no try of ours",
  "session.case-71": "a turn whose agent is gone ends, and whoever waits for it goes on",
  "session.case-88": "the end of a session leaves no process of its tools",
  "session.case-89": "the engine is the same whatever agent is behind it",
  "session.case-90": "a hook that does not answer holds nothing but its own turn",
  "session.case-91": "every hook point has a caller",
  "session.output-checked": "an output that does not match its schema is none, and that is told",
  "session.sem-5": "a close resolves when the agent is gone, and fails where it is not",
  "session.sem-7": "no rule is a denial, and the workspaces hold whatever is allowed",
  "session.sem-9": "a turn may be cancelled before its prompt was answered",
  "session.sem-10": "after an agent's death the next turn has a new one",
});
