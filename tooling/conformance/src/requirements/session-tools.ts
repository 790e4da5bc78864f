import { rows } from "../requirement.ts";

/** Hooks, policies, permissions and tools of a session. */
export const sessionTools = rows("session", {
  "session.case-41": "hooks of one point run in order, and one of the same name replaces",
  "session.case-42": "the first denial is the last question, and the tool never runs",
  "session.case-43": "a decider that throws denies, an observer that throws is contained",
  "session.case-44": "changed inputs add up, and a later denial still wins",
  "session.case-46": "a hook on an error changes its text, never its being an error",
  "session.case-48":
    "a question that nobody answers is unanswered, and a repeated one is asked again",
  "session.case-49": "exact before server before all, deny before ask before allow, then the first",
  "session.case-50": "a false predicate takes the next rule, a failing one denies",
  "session.case-51": "a rule that nobody can answer, or for an unknown server, is refused",
  "session.case-52": "a bare name never means an MCP tool",
  "session.case-53": "a path is where it really leads",
  "session.case-54":
    "what crosses the VM's border asks by default; with nobody to ask it is denied",
  "session.case-55":
    "enabled and disabled tools together are refused, and subagents that nobody could start",
  "session.case-56": "a batch's results have their calls' ids, and one failure leaves the others",
  "session.case-57": "two tools of one name are refused, a subagent's included",
  "session.case-58": "the tools are listed with their source",
  "session.case-92": "a command's confirmation decides",
  "session.read-url": "a page of the web is read as text, through the VM's network policy",
  "session.read-url-redirect": "each redirect goes through that policy again",
  "session.read-url-refused": "what that policy refuses is denied before anybody is asked",
  "session.read-url-bounds": "a page has bounds of size and time, and ends with its turn",
  "session.read-url-tls": "https only from a server that is trusted and is the one that was asked",
  "session.read-url-in-vm": "the policy of the live VM decides, and every decision is told",
  "session.read-url-unsupported": "a driver without a network says so",
});
