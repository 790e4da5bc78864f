import { AgentOs, type LogChunk } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { createGuestOutput, type GuestOutput } from "../guest/guest-output.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { write } from "../output/write.ts";

export interface LogsOptions {
  readonly follow?: boolean;
}

/** Without --follow: what is kept has come when nothing more came for this long. */
const QUIET_MS = 300;

/** `agentos logs VM PROCESS`. */
export async function logs(
  io: Io,
  globals: GlobalOptions,
  vm: string,
  processId: string,
  options: LogsOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  try {
    await using os = await AgentOs.attach(vm, { pool: globals.pool, signal: interrupts.signal });
    const quiet = new QuietPeriod(options.follow === true ? undefined : QUIET_MS);
    const signal = AbortSignal.any([interrupts.signal, quiet.signal]);
    const output = createGuestOutput(io, globals.json === true, interrupts.signal);
    try {
      for await (const chunk of os.logs(processId, { signal })) {
        quiet.hold();
        await printChunk(io, globals, output, chunk);
        quiet.begin();
      }
    } catch (error) {
      if (!quiet.signal.aborted) throw error;
    }
    await output.end();
    return EXIT_CODE.ok;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

async function printChunk(
  io: Io,
  { json }: GlobalOptions,
  output: GuestOutput,
  { channel, dropped, data }: LogChunk,
): Promise<void> {
  if (dropped > 0) {
    await output.event("dropped", { channel, bytes: dropped });
    if (json !== true)
      await write(io.stderr, `agentos: ${dropped} bytes of ${channel} were no longer kept\n`);
  }
  await output.output(channel, data);
}

/** Aborts when nothing has held it for a while. */
class QuietPeriod {
  readonly #ms: number | undefined;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number | undefined) {
    this.#ms = ms;
    this.begin();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  begin(): void {
    this.hold();
    if (this.#ms !== undefined) this.#timer = setTimeout(() => this.#abort.abort(), this.#ms);
  }

  hold(): void {
    clearTimeout(this.#timer);
  }
}
