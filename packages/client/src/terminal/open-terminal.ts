import { randomBytes } from "node:crypto";

import type { TerminalInfo } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { argvOf } from "../process/argv.ts";
import { cancelled } from "../race-signal.ts";
import { parseTerminalOptions, type TerminalOptions } from "./terminal-options.ts";
import type { Terminal } from "./terminal.ts";
import { VmTerminal } from "./vm-terminal.ts";

/** The one that people like better, where there is one. */
const SHELL = ["/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh"];
/** Short: people type it. */
const ID_BYTES = 4;

/** Starts a program on a terminal of its own. */
export async function openTerminal(admin: VmAdmin, options: TerminalOptions): Promise<Terminal> {
  const { command: _, signal, ...choices } = parseTerminalOptions(options);
  const argv = options.command === undefined ? SHELL : argvOf(options.command);
  if (signal?.aborted === true) throw cancelled("opening a terminal", signal.reason);
  const terminalId = `t-${randomBytes(ID_BYTES).toString("hex")}`;
  const params = { ...admin.scope, terminalId, argv, ...choices };
  const terminal = new VmTerminal(
    admin,
    terminalId,
    (connection) => connection.request("terminal.open", params),
    true,
  );
  await terminal.start(signal);
  return terminal;
}

/** One that is there, whoever opened it. Rejects with `NOT_FOUND`. */
export async function attachTerminal(admin: VmAdmin, id: string): Promise<Terminal> {
  const params = { ...admin.scope, terminalId: id };
  const terminal = new VmTerminal(
    admin,
    id,
    (connection) => connection.request("terminal.info", params),
    false,
  );
  await terminal.start();
  return terminal;
}

/** The VM's, ended ones that nobody has closed included. */
export async function listTerminals(admin: VmAdmin): Promise<TerminalInfo[]> {
  const { terminals } = await admin.request("terminal.list", {});
  return terminals.filter(({ vmId }) => vmId === admin.vmId);
}
