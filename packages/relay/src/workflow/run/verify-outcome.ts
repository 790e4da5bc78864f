import { posix } from "node:path";

import type { PlannedStep } from "../plan/workflow-plan.ts";
import { howItEnded, lastOf } from "./run-command-step.ts";
import type { RunContext, StepOutcome, StepTry } from "./run-context.ts";
import { RUN_LIMITS } from "./run-limits.ts";

/** What the step's verification finds wrong; undefined: nothing. */
export async function verifyOutcome(
  step: PlannedStep,
  outcome: StepOutcome,
  context: RunContext,
  each: StepTry,
  task = "",
): Promise<string | undefined> {
  const { verification } = step;
  if (verification === undefined) return undefined;
  const problem = await problemOf(step, outcome, context, each, task);
  if (problem === undefined || verification.description === undefined) return problem;
  return `${verification.description}: ${problem}`;
}

async function problemOf(
  { name, verification }: PlannedStep,
  outcome: StepOutcome,
  context: RunContext,
  each: StepTry,
  task: string,
): Promise<string | undefined> {
  if (verification?.type === "output_contains")
    return contains(outcome, each.fill(verification.value), task);
  if (verification?.type === "exit_code") return exitCode(outcome, Number(verification.value));
  if (verification?.type === "file_exists") {
    const path = posix.resolve(each.cwd, each.fill(verification.value));
    return (await context.place.commands.exists(path)) ? undefined : `there is no file ${path}`;
  }
  if (verification?.use !== undefined)
    return await asked(name, verification.use, outcome, context, each);
  const { value = "", timeoutMs = RUN_LIMITS.verificationMs } = verification ?? {};
  return await command(each.fill(value), timeoutMs, context, each);
}

/** Where the output shows what was typed, the first one of the task's own is the task's. */
function contains(
  { output, echoesTask }: StepOutcome,
  token: string,
  task: string,
): string | undefined {
  const first = output.indexOf(token);
  const isEcho = echoesTask && task.includes(token);
  const found = isEcho && first !== -1 ? output.indexOf(token, first + token.length) : first;
  return found === -1 ? `the output does not contain ${JSON.stringify(token)}` : undefined;
}

function exitCode({ exitCode: actual }: StepOutcome, expected: number): string | undefined {
  if (actual === expected) return undefined;
  return `expected exit code ${expected}, got ${actual ?? "none"}`;
}

async function command(
  text: string,
  timeoutMs: number,
  { place }: RunContext,
  { cwd, signal }: StepTry,
): Promise<string | undefined> {
  const result = await place.commands.run({ command: text, cwd, timeoutMs }, { signal });
  if (result.timedOut) return `its verification took longer than ${timeoutMs} ms`;
  if (result.exitCode === 0) return undefined;
  return `its verification failed: ${howItEnded(result.exitCode, result.signal)}${lastOf(result.stderr)}`;
}

async function asked(
  step: string,
  use: string,
  { output }: StepOutcome,
  { callbacks, record }: RunContext,
  { attempt, signal }: StepTry,
): Promise<string | undefined> {
  const result = await callbacks.call(
    {
      sessionId: record.run.runId,
      turnId: null,
      callback: use,
      callId: `verify:${step}:${attempt}`,
      ask: { kind: "verification", step, output: output.slice(0, RUN_LIMITS.askedCharacters) },
    },
    { deadlineMs: RUN_LIMITS.verificationMs, signal },
  );
  if (result.kind === "verification" && result.passed) return undefined;
  const reason = result.kind === "verification" ? result.reason : undefined;
  return reason ?? `${use} did not accept it`;
}
