import type { PlannedAgent, PlannedAgentStep } from "../plan/workflow-plan.ts";
import { askAgent } from "./ask-agent.ts";
import { openAgent } from "./open-agent.ts";
import type { RunContext, StepTry } from "./run-context.ts";
import { RUN_LIMITS } from "./run-limits.ts";
import { messageOf } from "./step-failure.ts";
import { isAccepted, readVote, type Vote } from "./tally-votes.ts";

interface Review {
  readonly reviewer: string;
  readonly vote: Vote;
  readonly comment: string;
}

export interface ReviewRequest {
  readonly step: PlannedAgentStep;
  readonly task: string;
  readonly output: string;
  readonly iteration: number;
}

/** Has every reviewer vote on an output. Undefined: it is accepted; else what they found. */
export async function reviewOutput(
  context: RunContext,
  request: ReviewRequest,
  each: StepTry,
): Promise<string | undefined> {
  const { step } = request;
  if (step.reviewers.length === 0) return undefined;
  const reviews = await Promise.all(
    step.reviewers.map((reviewer) => review(context, request, reviewer, each)),
  );
  const { consensus } = context.plan;
  const ballots = reviews.map(({ reviewer, vote }) => {
    return { vote, weight: consensus.weights.get(reviewer) ?? 1 };
  });
  if (isAccepted(ballots, consensus)) return undefined;
  const found = reviews.filter(({ vote }) => vote !== "approve");
  return ["The reviewers did not accept it.", ...found.map(findingOf)].join("\n\n");
}

async function review(
  context: RunContext,
  { step, task, output, iteration }: ReviewRequest,
  reviewer: PlannedAgent,
  { attempt, signal: own, cwd }: StepTry,
): Promise<Review> {
  const expired = new AbortController();
  const cancel = context.clock.after(context.plan.consensus.expiryMs, () => expired.abort());
  const signal = AbortSignal.any([own, expired.signal]);
  const purpose = `${step.name}.${attempt}.${iteration}.${reviewer.name}`;
  const { vote, comment } = await voteOf(
    async () => {
      await using handle = await openAgent(context, { agent: reviewer, purpose, cwd, signal });
      const question = questionOf(step, task, output);
      const ask = { step: step.name, agent: reviewer, handle, task: question, signal };
      return (await askAgent(context, ask)).output;
    },
    expired.signal,
    own,
  );
  cancel();
  const shown = comment.slice(0, RUN_LIMITS.shownCharacters);
  const type = "step_reviewed";
  context.record.write({
    events: [{ type, step: step.name, reviewer: reviewer.name, vote, comment: shown }],
  });
  return { reviewer: reviewer.name, vote, comment };
}

/** One that can't be asked, or is late, abstains, and the reason is its comment. */
async function voteOf(
  ask: () => Promise<string>,
  expired: AbortSignal,
  signal: AbortSignal,
): Promise<{ vote: Vote; comment: string }> {
  try {
    return readVote(await ask());
  } catch (error) {
    signal.throwIfAborted();
    const comment = expired.aborted ? "it did not vote in time" : messageOf(error);
    return { vote: "abstain", comment };
  }
}

function questionOf({ agent }: PlannedAgentStep, task: string, output: string): string {
  return [
    `${agent.name} was given this task:\n${task}`,
    `It answered:\n${output.slice(0, RUN_LIMITS.outputCharacters)}`,
    "Review the work itself, not only the answer. End with one line: APPROVE, REJECT or ABSTAIN, and why.",
  ].join("\n\n");
}

function findingOf({ reviewer, vote, comment }: Review): string {
  return `${reviewer} (${vote}): ${comment}`;
}
