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
    const { signal } = interrupts;
    const output = createGuestOutput(io, globals.json === true, signal);
    const chunks = os.logs(processId, { follow: options.follow === true, signal });
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- One piece after the other.
      const { done, value } = await chunks.next();
      if (done === true) {
        await output.end();
        await output.event("end", value);
        break;
      }
      await printChunk(io, globals, output, value);
    }
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
