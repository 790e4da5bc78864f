import { posix } from "node:path";

import type { SessionVm } from "@agentos/core";
import { AgentOsError, isAgentOsError } from "@agentos/protocol";

/** Any of its three. */
const EXECUTABLE = 0o111;

/**
 * Refuses a command that the VM does not have, as starting it would: `COMMAND_NOT_FOUND`. It is looked for as a
 * shell does: from `cwd` where its name has a slash, else in each folder of PATH.
 */
export async function assertCommand(
  vm: SessionVm,
  command: string,
  { cwd, path }: { cwd: string; path: string },
): Promise<void> {
  const folders = command.includes("/") ? [""] : path.split(":");
  for (const folder of folders)
    // oxlint-disable-next-line no-await-in-loop -- Mostly the first or second has it.
    if (await isProgram(vm, posix.resolve(cwd, folder, command))) return;
  const details = { command, exitCode: 127 } as const;
  throw new AgentOsError("COMMAND_NOT_FOUND", `command not found: ${command}`, details);
}

async function isProgram(vm: SessionVm, path: string): Promise<boolean> {
  try {
    const { type, mode } = await vm.handle().files.stat(path);
    return type === "file" && (mode & EXECUTABLE) !== 0;
  } catch (error) {
    if (isAgentOsError(error, "FILE_SYSTEM")) return false;
    throw error;
  }
}
