import { AgentOsError } from "@agentos/protocol";

import type { Errno } from "../link/errno.ts";

/** A file operation's error with the message that Node gives it: `ENOENT: no such file or directory, open '/x'`. */
export function fileSystemError(
  errno: Errno,
  syscall: string,
  path?: string,
  dest?: string,
): AgentOsError<"FILE_SYSTEM"> {
  const target = path === undefined ? "" : ` '${path}'`;
  const second = dest === undefined ? "" : ` -> '${dest}'`;
  return new AgentOsError(
    "FILE_SYSTEM",
    `${errno.name}: ${errno.message}, ${syscall}${target}${second}`,
    {
      errno: errno.name,
      syscall,
      ...(path === undefined ? {} : { path }),
      ...(dest === undefined ? {} : { dest }),
    },
  );
}
