import { getSystemErrorName } from "node:util";

import { AgentOsError, type StreamFrame } from "@agentos/protocol";

/** The error in a FAIL frame: an errno and the step that it stopped. */
export function decodeFailure({ payload }: StreamFrame): AgentOsError<"FILE_SYSTEM"> {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const errno = bytes.length < 4 ? "EIO" : errnoName(bytes.readUInt32LE());
  const syscall = bytes.toString("utf8", 4);
  return new AgentOsError("FILE_SYSTEM", `${errno}: the stream broke, ${syscall}`, {
    errno,
    syscall,
  });
}

function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    // A number that this system has no name for.
    return `E${errno}`;
  }
}
