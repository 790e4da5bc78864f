import type { ProcessRequest } from "@agentos/core";
import { AgentOsError, DEFAULTS } from "@agentos/protocol";

import type { Failure } from "../link/failure.ts";
import { FieldWriter } from "../link/fields.ts";
import { FIELD } from "../link/link-kinds.ts";
import { fileSystemError } from "./file-failure.ts";

/** Flags of EXEC and of a TABLE_ENTRY. */
export const STDIN_PIPE = 1;
export const LOGGED = 2;
export const TERMINAL = 4;
const BUILTIN = 16;
/** Of a TABLE_ENTRY only. */
export const ATTACHMENT = 8;
/** The kernel's bound on one argument or variable, its NUL included. */
const MAX_ONE_BYTES = 128 * 1024;
/** A NUL and a pointer, as the kernel counts them. */
const PER_STRING_BYTES = 9;
const NOT_FOUND = "ENOENT";
const TOO_LONG = "E2BIG";
/** What execve says of a file that is there and is no program for this user. */
const RESOURCES = ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE"];
const MAX_PROCESSES = 1024;
/** What vmd gives each VM's devpts. */
const MAX_TERMINALS = 256;

/** EXEC's payload. Throws `ARGUMENTS_TOO_LONG`, or `INVALID_ARGUMENT` for a NUL. */
export function encodeExec(request: ProcessRequest): Uint8Array {
  const env = Object.entries(request.env).map(([name, value]) => `${name}=${value}`);
  checkSize([...request.argv, ...env]);
  const fields = new FieldWriter().text(FIELD.id, request.processId);
  for (const arg of request.argv) fields.text(FIELD.arg, arg);
  for (const variable of env) fields.text(FIELD.env, variable);
  const stdin = request.stdin === "pipe" ? STDIN_PIPE : 0;
  const logged = request.output === "logged" ? LOGGED : 0;
  const builtin = request.builtin === true ? BUILTIN : 0;
  const { terminal } = request;
  fields
    .text(FIELD.cwd, request.cwd)
    .u32(FIELD.flags, terminal === undefined ? stdin | logged | builtin : TERMINAL)
    .u32(FIELD.window, terminal?.scrollbackBytes ?? request.windowBytes)
    .u32(FIELD.stdinWindow, request.windowBytes);
  if (terminal !== undefined) fields.u32(FIELD.cols, terminal.cols).u32(FIELD.rows, terminal.rows);
  if (request.timeoutMs !== undefined) fields.u32(FIELD.timeoutMs, request.timeoutMs);
  return fields.finish();
}

function checkSize(strings: readonly string[]): void {
  let total = 0;
  for (const text of strings) {
    const bytes = Buffer.byteLength(text);
    if (bytes >= MAX_ONE_BYTES) throw tooLong(MAX_ONE_BYTES - 1, bytes);
    total += bytes + PER_STRING_BYTES;
  }
  if (total > DEFAULTS.maxArgumentBytes) throw tooLong(DEFAULTS.maxArgumentBytes, total);
}

function tooLong(limit: number, actual: number): AgentOsError<"ARGUMENTS_TOO_LONG"> {
  return new AgentOsError(
    "ARGUMENTS_TOO_LONG",
    `expected arguments and environment of at most ${limit} bytes, got ${actual}`,
    { limit, actual },
  );
}

/** What FAIL of EXEC means to the caller. */
export function execError(request: ProcessRequest, failure: Failure): AgentOsError {
  const { errno, step } = failure;
  if (step === "id" && errno.name === "EEXIST") {
    const { processId } = request;
    return new AgentOsError("ALREADY_EXISTS", `process ${processId} exists already`, {
      kind: "process",
      id: processId,
    });
  }
  if (step === "terminal" && errno.name === "ENOSPC") return outOfTerminals();
  if (step === "cwd") return fileSystemError(errno, "chdir", request.cwd);
  if (step === "table" || RESOURCES.includes(errno.name)) return outOfProcesses(failure);
  if (step === "exec") return commandError(request, failure);
  return new AgentOsError("INTERNAL", `the VM could not start the process: ${errno.name}`, {
    reason: `${step}: ${errno.name}`,
  });
}

function commandError(request: ProcessRequest, { errno }: Failure): AgentOsError {
  const command = request.argv[0] ?? "";
  if (errno.name === TOO_LONG) {
    const bytes = Buffer.byteLength(request.argv.join(" "));
    return tooLong(DEFAULTS.maxArgumentBytes, bytes);
  }
  if (errno.name === NOT_FOUND) {
    return new AgentOsError("COMMAND_NOT_FOUND", `command not found: ${command}`, {
      command,
      exitCode: 127,
    });
  }
  return new AgentOsError(
    "COMMAND_NOT_EXECUTABLE",
    `command not executable: ${command}: ${errno.message}`,
    { command, exitCode: 126, errno: errno.name },
  );
}

function outOfTerminals(): AgentOsError<"POOL_EXHAUSTED"> {
  return new AgentOsError("POOL_EXHAUSTED", `the VM has ${MAX_TERMINALS} terminals`, {
    limit: "terminals",
    capacity: MAX_TERMINALS,
    waiting: 0,
  });
}

function outOfProcesses({ errno, step }: Failure): AgentOsError {
  if (step === "table") {
    return new AgentOsError("POOL_EXHAUSTED", "the VM's table of processes is full", {
      limit: "processes",
      capacity: MAX_PROCESSES,
      waiting: 0,
    });
  }
  return fileSystemError(errno, "spawn");
}
