import { AgentOs, AgentOsError, type TerminalInfo } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { write } from "../output/write.ts";
import { runTerminal } from "../terminal/run-terminal.ts";
import { sizeOf, UserTerminal } from "../terminal/user-terminal.ts";

export interface AttachOptions {
  readonly detachKeys: Uint8Array;
}

/** `agentos attach TERMINAL`. */
export async function attach(
  io: Io,
  globals: GlobalOptions,
  wanted: string,
  options: AttachOptions,
): Promise<number> {
  UserTerminal.assertOne(io);
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  try {
    const { pool } = globals;
    const { terminalId, vmId, state } = find(await AgentOs.terminals({ pool, signal }), wanted);
    await using os = await AgentOs.attach(vmId, { pool, signal });
    await using terminal = await os.attachTerminal(terminalId);
    if (state === "running") await terminal.resize(sizeOf(io));
    interrupts[Symbol.dispose]();
    const parting = await runTerminal(io, terminal, options.detachKeys);
    if (parting.how === "detached") {
      await write(
        io.stderr,
        `\r\nagentos: detached; come back with: agentos attach ${terminalId}\r\n`,
      );
      return EXIT_CODE.ok;
    }
    return parting.exitCode;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

/** By its id, or its VM's name or id where that has one terminal. */
function find(terminals: readonly TerminalInfo[], wanted: string): TerminalInfo {
  const byId = terminals.find(({ terminalId }) => terminalId === wanted);
  const ofVm = terminals.filter(({ vmId, vmName }) => vmId === wanted || vmName === wanted);
  const found = byId ?? (ofVm.length === 1 ? ofVm[0] : undefined);
  if (found !== undefined) return found;
  const known = (ofVm.length > 0 ? ofVm : terminals).map(({ terminalId }) => terminalId).join(", ");
  const there = known === "" ? "there is none" : `there are ${known}`;
  throw new AgentOsError("NOT_FOUND", `no terminal ${wanted}: ${there}`, {
    kind: "terminal",
    id: wanted,
  });
}
