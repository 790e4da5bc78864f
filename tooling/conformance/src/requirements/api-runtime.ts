import { rows } from "../requirement.ts";

/** Acceptance cases of the api runtime, and of MCP servers. */
const cases = rows("sessions", {
  "session.case-24":
    "a call that comes in pieces is one call, and calls without an id are each their own",
  "session.case-25": "what the user and the tools say is no text of the agent's",
  "session.case-29": "answers of no use in a row end the turn; 0 disables the bound",
  "session.case-59": "an MCP server's tools are called, and one that fails is named",
  "session.case-60": "structured output is what the finish tool took, and nothing else",
  "session.case-76": "idle, running, and ends that are good or failed are told apart",
  "session.case-77": "a new session is idle",
  "session.case-78": "a turn's end has nothing buffered beside it",
  "session.case-79": "an agent that was never prompted records no session",
  "session.case-81": "a failing API is no agent that died",
  "session.case-82": "a rate limit is not counted as an answer of no use",
});

/**
 * The cases that a wire format can break, on each of them: what is told, thought, called, counted, failed,
 * cut off and gone on from is read from its stream or written into its requests. The others are the engine's
 * own: no format reaches them.
 */
const formats = rows("sessions", {
  "api.case-10": "a closed session goes on where it was, its tools' results included",
  "api.case-16": "a model that is not there fails its own session's turn only",
  "api.case-21": "text is told in order and adds up to the exact text, with its exact usage",
  "api.case-26": "thoughts and text are told apart, and thoughts alone are no answer",
  "api.case-28": "a failure is never an empty success, and the next try repeats no step",
  "api.case-34": "a cancel ends the request, and the next turn knows what was said",
  "api.case-38": "a turn's usage is its own calls', the total the sum, and its cost has a price",
  "api.case-42": "what a denied call is answered reaches the model, and the tool never runs",
  "api.case-56": "tools of one step run side by side, and their results have the calls' order",
  "api.case-60": "structured output is what the finish tool took, on every format",
  "api.case-65": "the agent's session is recorded before the model is asked",
  "api.case-68": "an exhausted limit says when it is there again",
  "api.case-72": "a missing key names its variables before anything starts",
});

const inVm = rows("design", {
  "mcp.vm": "an MCP server that is a program runs in the VM, and ends with its session",
});

const own = rows("design", {
  "api.alias": "a provider's name as the runtime means the runtime api with it",
  "api.canary": "the key is in nothing that is told, kept or thrown",
  "api.bundle":
    "the sidecar's bin has no provider's package in it, and loads them when they are used",
  "api.compaction": "a long conversation goes on from a summary",
  "api.fair-share": "sessions whose models speak at once take turns at the event loop",
  "api.driver": "an agent on a model API works in a VM of every driver, which never sees its key",
  "api.session": "the engine tries a failed model again from the last step, with the real tools",
  "api.cost": "a call's cost is the list price of its day, or unknown",
});

export const apiRuntime = [...cases, ...formats, ...inVm, ...own];
