import type { PlannedAgentStep } from "../plan/workflow-plan.ts";
import { askAgent } from "./ask-agent.ts";
import { openAgent } from "./open-agent.ts";
import { reviewOutput } from "./review-output.ts";
import type { RunContext, StepOutcome, StepTry } from "./run-context.ts";
import { RUN_LIMITS } from "./run-limits.ts";
import { StepFailure } from "./step-failure.ts";
import { verifyOutcome } from "./verify-outcome.ts";

/** Has an agent do a task: again in the same conversation, until it is verified and accepted or has no iteration left. */
export async function runAgentStep(
  step: PlannedAgentStep,
  context: RunContext,
  each: StepTry,
): Promise<StepOutcome> {
  const { agent, maxIterations } = step;
  const { attempt, signal, cwd } = each;
  const { record } = context;
  const task = each.fill(step.task);
  const purpose = `${step.name}.${attempt}`;
  await using handle = await openAgent(context, { agent, purpose, cwd, signal });
  const { sessionId } = handle;
  record.write({ steps: [{ ...record.step(step.name), task, sessionId }] });
  let asked = task;
  for (let iteration = 1; ; iteration += 1) {
    const ask = { step: step.name, agent, handle, task: asked, signal };
    // oxlint-disable-next-line no-await-in-loop -- Each iteration answers the one before it.
    const outcome = await askAgent(context, ask);
    const { output } = outcome;
    const request = { step, task, output, iteration };
    const problem =
      // oxlint-disable-next-line no-await-in-loop -- As above.
      (await verifyOutcome(step, outcome, context, each, asked)) ??
      // oxlint-disable-next-line no-await-in-loop -- As above.
      (await reviewOutput(context, request, each));
    if (problem === undefined) return outcome;
    if (iteration >= maxIterations) throw new StepFailure(problem);
    const reason = problem.slice(0, RUN_LIMITS.shownCharacters);
    const type = "step_iterating";
    record.write({ events: [{ type, step: step.name, iteration: iteration + 1, reason }] });
    asked = `That is not done yet.\n\n${problem}\n\nGo on, and end with your result.`;
  }
}
