import { posix } from "node:path";

import type {
  PlannedCommandStep,
  PlannedFunctionStep,
  PlannedWorktreeStep,
} from "../plan/workflow-plan.ts";
import type { RunContext, StepOutcome, StepTry } from "./run-context.ts";
import { RUN_LIMITS } from "./run-limits.ts";
import { StepFailure } from "./step-failure.ts";

const SHOWN_ERROR_CHARACTERS = 2_000;

/** Runs a command in the VM. */
export async function runCommandStep(
  step: PlannedCommandStep,
  { place }: RunContext,
  { fill, cwd, signal }: StepTry,
): Promise<StepOutcome> {
  const command = fill(step.command);
  const result = await place.commands.run({ command, cwd, timeoutMs: undefined }, { signal });
  const { exitCode, signal: killedBy, stdout, stderr } = result;
  const isAsked = step.verification?.type === "exit_code";
  if (step.failOnError && !isAsked && exitCode !== 0)
    throw new StepFailure(`${howItEnded(exitCode, killedBy)}${lastOf(stderr)}`);
  return { output: step.captureOutput ? stdout : "", echoesTask: false, exitCode };
}

/** Makes a git worktree. Its output is where. */
export async function runWorktreeStep(
  step: PlannedWorktreeStep,
  { place }: RunContext,
  { fill, cwd, signal }: StepTry,
): Promise<StepOutcome> {
  const [branch, base] = [fill(step.branch), fill(step.baseBranch)];
  const path = posix.resolve(cwd, fill(step.path));
  // What begins with a dash would be an option.
  const options = step.createBranch ? ["-b", branch, "--", path, base] : ["--", path, branch];
  if (branch.startsWith("-") || base.startsWith("-"))
    throw new StepFailure(
      `expected a branch's name, got ${branch.startsWith("-") ? branch : base}`,
    );
  const command = ["git", "worktree", "add", ...options];
  const result = await place.commands.run({ command, cwd, timeoutMs: undefined }, { signal });
  if (result.exitCode !== 0)
    throw new StepFailure(
      `git worktree add: ${howItEnded(result.exitCode, result.signal)}${lastOf(result.stderr)}`,
    );
  return { output: path, echoesTask: false, exitCode: 0 };
}

/** Asks a function of the client. */
export async function runFunctionStep(
  step: PlannedFunctionStep,
  { callbacks, record }: RunContext,
  { fill, signal, attempt }: StepTry,
): Promise<StepOutcome> {
  const params = Object.entries(step.params).map(([name, value]) => [name, fill(value)]);
  const result = await callbacks.call(
    {
      sessionId: record.run.runId,
      turnId: null,
      callback: step.use,
      callId: `${step.name}:${attempt}`,
      ask: { kind: "step", step: step.name, attempt, params: Object.fromEntries(params) },
    },
    { deadlineMs: step.timeoutMs ?? RUN_LIMITS.functionMs, signal },
  );
  if (result.kind !== "step") throw new StepFailure(`${step.use} did not answer as a step`);
  return { output: result.output, echoesTask: false, exitCode: null };
}

export function howItEnded(exitCode: number | null, signal: string | null): string {
  return exitCode === null ? `it was ended by ${signal ?? "the VM"}` : `exit code ${exitCode}`;
}

export function lastOf(stderr: string): string {
  const text = stderr.trimEnd();
  return text === "" ? "" : `: ${text.slice(-SHOWN_ERROR_CHARACTERS)}`;
}
