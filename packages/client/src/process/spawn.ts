import { randomUUID } from "node:crypto";

import { AgentOsError, type OutputMode } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { checkSpawnOptions } from "../options.ts";
import { argvOf } from "./argv.ts";
import type { InputSource } from "./input-stream.ts";
import { processRequest } from "./process-request.ts";
import { type AskForProcess, SpawnedProcess } from "./spawned-process.ts";
import type { VmProcess } from "./vm-process.ts";

export interface SpawnOptions {
  /** Absolute. Default /workspace. */
  cwd?: string | undefined;
  env?: Record<string, string> | undefined;
  /** `pipe`: written through `stdin`. A source: fed from it, then ended. Default `none`: /dev/null. */
  stdin?: "pipe" | "none" | Exclude<InputSource, string> | undefined;
  /** `piped` (default): one reader, an unread stream stops the program. `logged`: the last bytes are kept, many readers. */
  output?: OutputMode | undefined;
  /** After it every process of its session is killed. Default: none. */
  timeoutMs?: number | undefined;
  /** Aborted: every process of its session is killed, and the outcome is `cancelled`. */
  signal?: AbortSignal | undefined;
}

/** Starts a program in a VM. */
export async function spawn(
  admin: VmAdmin,
  command: string | readonly string[],
  options: SpawnOptions,
): Promise<VmProcess> {
  checkSpawnOptions(options);
  const argv = argvOf(command);
  if (options.signal?.aborted === true) {
    const operation = "spawn";
    throw new AgentOsError(
      "CANCELLED",
      "spawn was cancelled",
      { operation },
      { cause: options.signal.reason },
    );
  }
  const { stdin, output } = options;
  const ask: AskForProcess = (connection, { received, ...identity }) => {
    const pipesStdin = stdin !== undefined && stdin !== "none";
    const request = processRequest({ ...identity, argv }, options, pipesStdin, received);
    return connection.request(
      "process.spawn",
      output === undefined ? request : { ...request, output },
    );
  };
  const spawned = new SpawnedProcess(admin, randomUUID(), ask, options);
  await spawned.start();
  return spawned;
}
