import { once } from "node:events";

import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import type { PortPair } from "../options/parse-forward.ts";
import { printable } from "../output/printable.ts";
import { write } from "../output/write.ts";

/** `agentos forward VM PORT[:LOCAL]`: until it is interrupted. */
export async function forward(
  io: Io,
  globals: GlobalOptions,
  vm: string,
  { port, local }: PortPair,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  try {
    await using os = await AgentOs.attach(vm, { pool: globals.pool, signal });
    await using forwarded = await os.forward(port, { localPort: local });
    const { address, localPort, url } = forwarded;
    const event = { event: "listening", vmId: os.id, port, localPort, address, url };
    const line = `${url} leads to port ${port} of ${printable(vm)}. Ctrl-C ends it.`;
    await write(io.stdout, `${globals.json === true ? JSON.stringify(event) : line}\n`);
    if (!signal.aborted) await once(signal, "abort");
    return interrupts.exitCode ?? EXIT_CODE.ok;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}
