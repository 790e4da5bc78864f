import { posix } from "node:path";

import { fillText } from "../plan/fill-text.ts";
import type { PlannedStep } from "../plan/workflow-plan.ts";
import { runAgentStep } from "./run-agent-step.ts";
import { runCommandStep, runFunctionStep, runWorktreeStep } from "./run-command-step.ts";
import type { RunContext, StepOutcome, StepTry } from "./run-context.ts";
import { RUN_LIMITS } from "./run-limits.ts";
import { cancelled, isFinal, messageOf, StepFailure } from "./step-failure.ts";
import { verifyOutcome } from "./verify-outcome.ts";

/** Runs a step to its end, with its tries. Rejects with why it failed, or `CANCELLED`. */
export async function runStep(
  step: PlannedStep,
  context: RunContext,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const { record, plan } = context;
  for (let attempt = 1; ; attempt += 1) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- The next try is one only where this has failed.
      return await tryStep(step, context, attempt, signal);
    } catch (error) {
      if (signal.aborted) throw cancelled(`step ${step.name}`);
      if (attempt > step.retries || isFinal(error)) throw error;
      const stored = { ...record.step(step.name), retries: attempt };
      const again = { type: "step_retrying", step: step.name, attempt: attempt + 1 } as const;
      record.write({ events: [{ ...again, error: messageOf(error) }], steps: [stored] });
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await delay(plan.retryDelayMs, context, signal);
    }
  }
}

async function tryStep(
  step: PlannedStep,
  context: RunContext,
  attempt: number,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const late = new AbortController();
  const { timeoutMs } = step;
  const cancel =
    timeoutMs === undefined ? undefined : context.clock.after(timeoutMs, () => late.abort());
  const fill = filler(context);
  const each: StepTry = {
    attempt,
    signal: AbortSignal.any([signal, late.signal]),
    fill,
    cwd: posix.resolve(context.plan.cwd, fill(step.cwd)),
  };
  try {
    return await act(step, context, each);
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error;
    throw new StepFailure(`it took longer than ${timeoutMs} ms`);
  } finally {
    cancel?.();
  }
}

async function act(step: PlannedStep, context: RunContext, each: StepTry): Promise<StepOutcome> {
  if (step.kind === "agent") return await runAgentStep(step, context, each);
  const outcome = await actWithoutAgent(step, context, each);
  const problem = await verifyOutcome(step, outcome, context, each);
  if (problem !== undefined) throw new StepFailure(problem);
  return outcome;
}

async function actWithoutAgent(
  step: Exclude<PlannedStep, { kind: "agent" }>,
  context: RunContext,
  each: StepTry,
): Promise<StepOutcome> {
  if (step.kind === "command") return await runCommandStep(step, context, each);
  if (step.kind === "worktree") return await runWorktreeStep(step, context, each);
  return await runFunctionStep(step, context, each);
}

/** Fills a text in with what is known now. Throws where that would be too much. */
function filler({ plan, record }: RunContext): (text: string) => string {
  const names = new Set(plan.steps.map(({ name }) => name));
  const output = (name: string): string | undefined => {
    const step = names.has(name) ? record.step(name) : undefined;
    if (step?.status !== "completed") return undefined;
    // As a shell has it, so that an output fits into a line.
    return (step.output ?? "").replace(/\n+$/, "");
  };
  return (text) => {
    const filled = fillText(text, { vars: plan.vars, output });
    if (filled.length <= RUN_LIMITS.filledCharacters) return filled;
    throw new StepFailure(
      `its text has ${filled.length} characters, of ${RUN_LIMITS.filledCharacters} at most`,
    );
  };
}

async function delay(ms: number, { clock }: RunContext, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  cancel();
  if (signal.aborted) throw cancelled("a retry");
}
