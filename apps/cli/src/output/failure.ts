import { inspect } from "node:util";

import { type AgentOsError, isAgentOsError } from "@agentos/client";

import { EXIT_CODE } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { printable } from "./printable.ts";
import { remedyOf } from "./remedy.ts";
import { write, writeJson } from "./write.ts";

/** What a person needs to know of an error. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** Says what failed and what to do, in words and on one line each. */
export function describeFailure(error: unknown): Failure {
  if (isAgentOsError(error)) {
    return { code: error.code, message: messageOf(error), remedy: remedyOf(error) };
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  return { code, message: oneLine(message), remedy: DEBUG_REMEDY };
}

/** The command's exit code for an error: 126, 127 and 141 as shells have them, else 125. */
export function failureExitCode(error: unknown): number {
  if (isAgentOsError(error, "COMMAND_NOT_FOUND")) return EXIT_CODE.notFound;
  if (isAgentOsError(error, "COMMAND_NOT_EXECUTABLE")) return EXIT_CODE.notExecutable;
  return isBrokenPipe(error) ? EXIT_CODE.brokenPipe : EXIT_CODE.failed;
}

/** Whether nobody reads this command's output any more: nothing to tell anyone. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

/** Two lines on stderr, or one JSON line; the stack only with AGENTOS_DEBUG=1. */
export async function printFailure(io: Io, error: unknown, json: boolean): Promise<void> {
  const failure = describeFailure(error);
  if (json) await writeJson(io.stderr, { error: failure });
  else await write(io.stderr, `agentos: ${failure.message}\n         ${failure.remedy}\n`);
  if (io.env["AGENTOS_DEBUG"] === "1") await write(io.stderr, `${inspect(error, { depth: 6 })}\n`);
}

function messageOf(error: AgentOsError): string {
  const message = oneLine(error.message);
  return isAgentOsError(error, "SIDECAR_START_FAILED") && error.details.stderr.length > 0
    ? `${message}: ${oneLine(error.details.stderr.at(-1) ?? "")}`
    : message;
}

function oneLine(text: string): string {
  return printable(text.trim().replaceAll(/\s*\n\s*/g, "; "));
}

const DEBUG_REMEDY = "Repeat with AGENTOS_DEBUG=1 to see where it came from.";
