import { Relay } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { readable } from "../../output/readable.ts";
import { write, writeJson } from "../../output/write.ts";

export interface AgentLogsOptions {
  readonly follow?: boolean;
}

/** `agentos agent logs NAME`. */
export async function logs(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string,
  { follow = false }: AgentLogsOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  try {
    for await (const entry of Relay.connect({ pool }).logs(name, { follow, signal })) {
      if (json === true) await writeJson(io.stdout, entry);
      else await write(io.stdout, readable(entry.text));
    }
    return EXIT_CODE.ok;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}
