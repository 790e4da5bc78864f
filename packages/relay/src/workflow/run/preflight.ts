import { runInNewContext } from "node:vm";

import type { Preflight } from "@agentos/protocol";

import { fillText } from "../plan/fill-text.ts";
import { howItEnded, lastOf } from "./run-command-step.ts";
import type { RunContext } from "./run-context.ts";
import { RUN_LIMITS } from "./run-limits.ts";
import { StepFailure } from "./step-failure.ts";

/** Of a shell that could not run the command; above it are signals. */
const NOT_RUN = 126;

/** Runs every check that comes before a workflow. Rejects with the first that fails. */
export async function runPreflight(context: RunContext, signal: AbortSignal): Promise<void> {
  for (const check of context.plan.preflight) {
    // oxlint-disable-next-line no-await-in-loop -- In order: one may look for what the one before made.
    const problem = await problemOf(check, context, signal);
    const { command, description = command } = check;
    if (problem !== undefined) throw new StepFailure(`preflight ${description}: ${problem}`);
    context.record.write({ events: [{ type: "preflight_passed", command }] });
  }
}

async function problemOf(
  { command, failIf, successIf }: Preflight,
  { plan, place }: RunContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  const filled = fillText(command, { vars: plan.vars, output: () => undefined });
  const timeoutMs = RUN_LIMITS.preflightMs;
  const request = { command: filled, cwd: plan.cwd, timeoutMs };
  const {
    exitCode,
    signal: killedBy,
    stdout,
    stderr,
    timedOut,
  } = await place.commands.run(request, { signal });
  if (timedOut) return `it took longer than ${timeoutMs} ms`;
  if (exitCode === null || exitCode >= NOT_RUN)
    return `${howItEnded(exitCode, killedBy)}${lastOf(stderr)}`;
  if (failIf !== undefined && matches(stdout, failIf)) return `its output is ${failIf}`;
  if (successIf !== undefined && !matches(stdout, successIf))
    return `its output is not ${successIf}`;
  // Who says what the output has to be has not asked for the exit code.
  if (failIf !== undefined || successIf !== undefined || exitCode === 0) return undefined;
  return `${howItEnded(exitCode, killedBy)}${lastOf(stderr)}`;
}

function matches(output: string, condition: string): boolean {
  const text = output.trimEnd();
  if (condition === "empty") return text === "";
  if (condition === "non-empty") return text !== "";
  // In a context of its own only because that can be given up on: an expression may take for ever.
  const found: unknown = runInNewContext(
    "new RegExp(condition, 'm').test(text)",
    { condition, text },
    {
      timeout: RUN_LIMITS.expressionMs,
    },
  );
  return found === true;
}
