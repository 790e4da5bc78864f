import { rows } from "../requirement.ts";

/** The acceptance cases of the relay that are the workflow runner's. */
const cases = rows("relay", {
  "workflow.case-37": "steps run in the order of their dependencies, side by side where they may",
  "workflow.case-37-refused": "a circle, an unknown dependency or agent is refused at once",
  "workflow.case-38": "a failed step is tried again as often as it says, after its delay",
  "workflow.case-38-fail-fast": "fail-fast ends what runs and skips the rest; continue goes on",
  "workflow.case-38-iterations": "maxIterations has the agent go on until the step is verified",
  "workflow.case-39": "each kind of verification passes and fails by what is really there",
  "workflow.case-39-echo": "a token in an echoed task counts only where it occurs a second time",
  "workflow.case-40": "variables and outputs are filled in; an unknown variable is refused",
  "workflow.case-41": "a dry run tells waves, counts and warnings, and does nothing",
  "workflow.case-42": "a silent agent is reminded, then released; its step's time-out holds",
  "workflow.case-42-idle": "silence completes a step only where idleIsDone says so",
  "workflow.case-43": "an abort ends what runs; only the chosen workflow runs",
  "workflow.case-43-resume": "a resumed run repeats no finished step; an unknown one is refused",
});

const semantics = rows("issue 8", {
  "workflow.patterns": "each of the 24 patterns has its hub, edges and order",
  "workflow.auto": "auto picks the pattern that roles and steps speak of",
  "workflow.generated": "agents with tasks and no steps work in the pattern's order",
  "workflow.fallback": "a fallback works only where the one before it failed, and makes it good",
  "workflow.concurrency": "never more steps at once than maxConcurrency",
  "workflow.barrier":
    "a barrier is reached when its steps have completed, or fails the run in time",
  "workflow.votes": "reviewers' votes are counted as the strategy and threshold say",
  "workflow.vote-expiry": "who has not voted in time abstains; votes count by their weights",
  "workflow.review-loop": "what reviewers reject goes back to the agent, with their reasons",
  "workflow.pause": "a paused run starts no step, and goes on where it was",
  "workflow.crash": "after a killed sidecar a run goes on from its last finished step",
  "workflow.lost-vm": "a run whose VM ends or is taken over fails with that reason",
  "workflow.custom": "custom steps are expanded with their parameters, or asked of the client",
  "workflow.worktree": "a worktree step makes a branch, and its output is the path",
  "workflow.preflight": "a failing preflight starts nothing",
  "workflow.same-id": "the same run id again is the same run",
  "workflow.strict": "unknown keys are refused by name",
  "workflow.hostile-yaml": "bombs, deep nesting, prototype keys and tags are refused in no time",
  "workflow.schema": "the published JSON Schema is what the code checks",
  "workflow.templates": "each of the 8 templates can run; a path as name is refused",
  "workflow.own-templates":
    "templates of one's own are found by name in their folder, before those that come along",
  "workflow.presets": "programs without a runtime of their own are called with their task",
  "workflow.relay-edges":
    "agents write to one another as the pattern's edges allow; all else is refused, and reaches nobody",
  "workflow.relay-agents": "agents are the relay's while they work: seen, and written to",
  "workflow.relay-ends":
    "an agent's death is a crash of the relay; those of an interrupted run are gone",
  "workflow.users": "another user's runs are unknown",
  "workflow.nudge": "a reminder reaches the running turn where the agent can be steered",
  "workflow.notify": "the members of notifyChannel are told that a run failed",
  "workflow.keys": "what a run is made of is sealed in the store",
  "workflow.end-to-end": "agents and commands of a workflow work in a VM, over the wire",
  "workflow.command": "the command runs, shows, resumes and describes workflows",
});

export const workflows = [...cases, ...semantics];
