import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { write } from "../output/write.ts";
import { runTerminal } from "../terminal/run-terminal.ts";
import { sizeOf, UserTerminal } from "../terminal/user-terminal.ts";

export interface ShellOptions {
  readonly name?: string;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly detachKeys: Uint8Array;
}

const NO_KEYS = new Uint8Array();

/** `agentos shell [VM] [-- CMD]`. */
export async function shell(
  io: Io,
  globals: GlobalOptions,
  vm: string | undefined,
  argv: readonly string[],
  options: ShellOptions,
): Promise<number> {
  UserTerminal.assertOne(io);
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  try {
    const { pool } = globals;
    await using os =
      vm === undefined
        ? await AgentOs.create({ pool, name: options.name, signal })
        : await AgentOs.attach(vm, { pool, signal });
    await using terminal = await os.openTerminal({
      ...sizeOf(io),
      command: argv.length === 0 ? undefined : argv,
      cwd: options.cwd,
      env: { ...termOf(io), ...options.env },
      signal,
    });
    interrupts[Symbol.dispose]();
    // Without a name the VM ends with this command: there would be nothing to come back to.
    const keys = os.name === undefined ? NO_KEYS : options.detachKeys;
    const parting = await runTerminal(io, terminal, keys);
    if (parting.how === "exited") return parting.exitCode;
    if (os.name !== undefined) {
      terminal.detach();
      await write(
        io.stderr,
        `\r\nagentos: detached; come back with: agentos attach ${terminal.id}\r\n`,
      );
    }
    return parting.how === "detached" ? EXIT_CODE.ok : parting.exitCode;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

function termOf({ env }: Io): Record<string, string> {
  const { TERM } = env;
  return TERM === undefined || TERM === "" ? {} : { TERM };
}
