import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { createGuestOutput } from "../guest/guest-output.ts";
import { Interrupts } from "../guest/interrupts.ts";
import { type ProcessOptions, runGuest } from "../guest/run-guest.ts";
import type { Io } from "../io.ts";
import { write, writeJson } from "../output/write.ts";

export interface ExecOptions extends ProcessOptions {
  readonly detach?: boolean;
}

/** `agentos exec VM -- CMD`. */
export async function exec(
  io: Io,
  globals: GlobalOptions,
  vm: string,
  argv: readonly string[],
  options: ExecOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const json = globals.json === true;
  try {
    await using os = await AgentOs.attach(vm, { pool: globals.pool, signal: interrupts.signal });
    if (options.detach === true) return await detach(io, os, argv, options, json);
    const output = createGuestOutput(io, json, interrupts.signal);
    return await runGuest(io, { os, argv, options, output, interrupts, json });
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

async function detach(
  io: Io,
  os: AgentOs,
  argv: readonly string[],
  options: ExecOptions,
  json: boolean,
): Promise<number> {
  const { env, cwd, timeout } = options;
  const process = await os.spawn(argv, { env, cwd, timeoutMs: timeout, output: "logged" });
  const started = { event: "started", processId: process.id, pid: process.pid };
  if (json) await writeJson(io.stdout, started);
  else await write(io.stdout, `${process.id}\n`);
  return EXIT_CODE.ok;
}
