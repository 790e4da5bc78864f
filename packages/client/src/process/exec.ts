import { randomUUID } from "node:crypto";

import { DEFAULTS } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { checkExecOptions } from "../options.ts";
import { argvOf } from "./argv.ts";
import type { ExecOptions, ExecResult } from "./exec-options.ts";
import { ExecRun } from "./exec-run.ts";
import type { ChunkListener, OutputEncoding } from "./output-encoding.ts";

/** Runs a command of a VM to its end. */
export async function exec<T extends string | Uint8Array>(
  admin: VmAdmin,
  command: string | readonly string[],
  options: ExecOptions<T>,
  encoding: OutputEncoding<T>,
): Promise<ExecResult<T>> {
  checkExecOptions(options);
  const { onStdout, onStderr, maxOutputBytes = DEFAULTS.maxOutputBytes, ...process } = options;
  const listener = (user: ((chunk: T) => void) | undefined): ChunkListener | undefined =>
    user === undefined ? undefined : encoding.listener(user);
  const run = new ExecRun(admin, {
    ...process,
    processId: randomUUID(),
    argv: argvOf(command),
    maxOutputBytes,
    onStdout: listener(onStdout),
    onStderr: listener(onStderr),
  });
  const { stdout, stderr, ...end } = await run.finished();
  const truncated = stdout.truncated || stderr.truncated;
  const dropped = { name: "maxOutputBytes", value: maxOutputBytes } as const;
  const limit = end.limit ?? (truncated ? dropped : undefined);
  return {
    ...end,
    ...(limit === undefined ? {} : { limit }),
    stdout: encoding.collected(stdout),
    stderr: encoding.collected(stderr),
    truncated,
  };
}
