import { AgentOsError } from "@agentos/protocol";

import type { InputStream } from "./input-stream.ts";

/** A process's stdin as a web stream; where it has none, writing rejects. */
export function stdinStream(
  input: InputStream,
  isPiped: boolean,
): WritableStream<Uint8Array | string> {
  return new WritableStream<Uint8Array | string>({
    write: async (chunk) => {
      if (!isPiped) throw noStdin();
      if (!(await input.write(chunk))) throw brokenPipe();
    },
    close: () => {
      if (isPiped) input.end();
    },
    abort: () => {
      if (isPiped) input.end();
    },
  });
}

function noStdin(): AgentOsError {
  return new AgentOsError("UNSUPPORTED", "the process was spawned without a stdin to write to", {
    what: "stdin",
    instead: 'spawn it with stdin: "pipe"',
  });
}

function brokenPipe(): AgentOsError {
  return new AgentOsError("FILE_SYSTEM", "EPIPE: the process has ended, write", {
    errno: "EPIPE",
    syscall: "write",
  });
}
