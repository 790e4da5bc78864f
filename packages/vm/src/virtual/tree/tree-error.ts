import { constants } from "node:os";

import type { AgentOsError } from "@agentos/protocol";

import { errnoOf } from "../../link/errno.ts";
import { fileSystemError } from "../../linux/file-failure.ts";

const NUMBERS: Readonly<Record<string, number>> = constants.errno;

/** A file operation's error with the message that Node gives it. */
export function treeError(
  errno: string,
  syscall: string,
  path?: string,
  dest?: string,
): AgentOsError<"FILE_SYSTEM"> {
  return fileSystemError(errnoOf(NUMBERS[errno] ?? 0), syscall, path, dest);
}
