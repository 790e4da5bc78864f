import { rows } from "../requirement.ts";

/** The engine's part of the acceptance cases; those of hooks, policies, tools and runtimes are elsewhere. */
const cases = rows("sessions", {
  "session.case-1": "create, one turn, close: no longer open, and out of the live count",
  "session.case-2": "creating with a bad specification leaves nothing, and the id is free",
  "session.case-3": "a start that times out is torn down, an agent that comes later included",
  "session.case-4": "a second close is a no-op and never hangs",
  "session.case-5": "a prompt after the close is refused",
  "session.case-6":
    "every command on an unknown id fails and names it; another user's id is unknown",
  "session.case-7": "a session whose client is gone is cleaned up in the background",
  "session.case-8": "ten quick lives leave nothing",
  "session.case-9": "the sidecar's end exits each remaining agent in time",
  "session.case-10": "delete and close both end it; close keeps the state resumable",
  "session.case-11": "ids are one user's own; the same id again is the same session",
  "session.case-12": "concurrent creates and turns all succeed",
  "session.case-13": "a peer's slow turn does not block creating another session",
  "session.case-14": "closing one session leaves another's turn undisturbed",
  "session.case-15": "two sidecars never see each other's sessions",
  "session.case-16": "a failing agent fails only its own session's turn",
  "session.case-17": "a storm of creates, turns and closes ends without a stall",
  "session.case-18": "reads during a turn do not disturb it",
  "session.case-19": "an abandoned reader harms neither the turn nor the next one",
  "session.case-20": "turn spacing separates starts and delays no control",
  "session.case-21": "text arrives in order and adds up to the exact text, unicode included",
  "session.case-22": "a reader that does not read never blocks the turn",
  "session.case-23": "several readers each see every event",
  "session.case-26": "thoughts and text are both told; thoughts alone are no reply",
  "session.case-27": "only a reply that ended as it should is the last response",
  "session.case-28": "a failure in the middle that is followed by output is a success",
  "session.case-30": "an empty or blank prompt is refused before anything",
  "session.case-32": "what is sent during a turn waits for it; boundaries stay intact",
  "session.case-33": "a second reader is one of its own: nothing is split between the two",
  "session.case-34": "cancel ends the running turn, never a later one; idle it is a no-op",
  "session.case-35":
    "an agent that is gone in the middle ends the turn with exit code and last lines",
  "session.case-36": "clearing resets history, turns, compactions and last response",
  "session.case-37": "the history is read from an index on, and indices never shift",
  "session.case-38": "a turn's usage is its own, the total the sum, unknown stays null",
  "session.case-39": "queries before any turn give empty answers",
  "session.case-40": "waiting for a wake-up is false at its time-out, true when woken",
  "session.case-63": "a lost resume with a fresh prompt is exactly one fresh run",
  "session.case-64": "a resumed prompt is never empty",
  "session.case-65": "the agent's session id is stored at its first sign",
  "session.case-67": "a hard rate limit's reset extends the inactivity",
  "session.case-68": "after a rate limit the next start waits for its reset",
  "session.case-69": "model calls and tool turns are counted apart",
  "session.case-70": "no second agent starts before the first is gone",
  "session.case-72": "an unknown runtime, or what one can't do, is refused at once",
  "session.case-73": "the runtime gets the specification unchanged",
  "session.case-74": "the result carries output and usage as they came",
  "session.case-75": "a result without usage is valid",
  "session.case-80": "the fallback sends the whole fresh prompt",
  "session.case-83": "a failure in one turn leaves the others usable",
  "session.case-84": "one agent that fails its exit does not stop the sweep",
  "session.case-85": "queries are answered while long turns run",
  "session.case-87":
    "the hello has its length; without the key nobody gets in; a bad answer ends the child, and its words are told",
  "session.case-86": "a wait for a wake-up longer than any other limit still ends in true or false",
});

/** The commands and queries of the command loop, where no case says it. */
const commands = rows("sessions", {
  "session.row-create": "registered once it started; a start past its time is torn down",
  "session.row-chat": "a step that stays silent past its time ends the turn",
  "session.row-cancel": "cancel answers which turn it ended, null where none ran",
  "session.row-wait-for-idle": "waiting for idle is governed by its own time-out",
  "session.row-clear-history": "clearing leaves what the agent knows",
  "session.row-send": "a prompt may be fire and forget",
  "session.row-signal-idle": "signalling idle forgets what woke the session",
  "session.row-wait-for-wakeup": "a wake-up is kept until it is asked for, once",
  "session.row-delete": "delete forgets the session and ends its agent",
  "session.row-disconnect": "close keeps the session's state",
  "session.row-shutdown": "the sweep goes over every session, whatever one does",
  "session.row-queries": "all queries in one answer",
});

const semantics = rows("design", {
  "session.sem-1": "a prompt while a turn runs waits; refusing is an option",
  "session.sem-2": "an open request parks the turn without any time-out",
  "session.sem-3": "wake-ups are latched",
  "session.sem-4": "a rate limit is no retry of ours unless asked for",
  "session.sem-6": "leaving a reader leaves the turn",
  "session.sem-8": "resuming an unknown session is RESUME_LOST unless one may be made",
  "session.resume-stored":
    "a resumed session is as it was, but for what is given; a key stays with its provider",
  "session.default-model": "a session that names no model says which one it has, and keeps it",
  "session.fork": "a fork of a session has its VM's files as they were",
  "session.sem-11": "clearing clears ours, not the model's context",
  "session.fifty": "fifty sessions at once wait for no slow one, and cancels are answered",
  "session.hold": "a running turn holds its VM as a lease does",
  "session.transcript-bound":
    "past the bound of all transcripts the oldest closed sessions lose theirs, and say so; else prompts are refused",
  "session.group-commit": "what many sessions say at the same time is one transaction",
  "session.fenced": "a takeover ends the running turn as FENCED",
  "session.vm-ended": "a VM that ends ends its sessions' turns and closes them",
  "session.restart": "after kill -9 turns are interrupted, queued ones go on, nothing told is lost",
  "session.restart-request":
    "after kill -9 an open request waits on, and its answer is used once, for exactly the same call",
  "session.restart-request-other":
    "other arguments are asked anew, and an answer that nobody used is told and gone",
  "session.restart-request-fence": "what was asked before a takeover can't be answered after it",
  "session.callback": "the last connection that registered a function is asked",
  "session.callback-lost": "a lost connection's call waits for the next one that has the function",
  "session.spawn": "a subagent has its own id, model, tools, usage and life",
  "session.subagent-tool": "a tool's subagent tells and asks in its parent's session",
  "session.turn-hooks":
    "hooks around turns: start and end once each, a denied turn asks no model, a stop hook goes on",
  "session.triggers": "triggers prompt by themselves until the close; one failing leaves others",
  "session.file-changes":
    "a trigger on files tells what changed anywhere below its path, and the path itself where it could not see everything",
  "session.skills": "skills are announced by name, description and place",
});

export const sessions = [...cases, ...commands, ...semantics];
