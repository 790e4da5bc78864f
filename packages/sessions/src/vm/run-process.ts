import { randomUUID } from "node:crypto";

import type { Clock, SessionVm, VmProcess, VmProcessExit } from "@agentos/core";
import { AgentOsError, ByteReader, DEFAULTS, type TakeBytes } from "@agentos/protocol";

/** From asking a cancelled process to end to killing it. */
const TERMINATE_MS = 2_000;
/** What an ended process's last bytes may take. */
const DRAIN_MS = 1_000;

export interface RunRequest {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly take: TakeBytes;
  readonly signal: AbortSignal;
}

/** Runs a program in a VM to its end. Rejects with `CANCELLED` once its whole session was told to end, or why it could not start. */
export async function runProcess(
  vm: SessionVm,
  clock: Clock,
  request: RunRequest,
): Promise<VmProcessExit> {
  request.signal.throwIfAborted();
  const reader = new ByteReader(request.take, "process");
  const process = await vm.handle().startProcess(
    {
      processId: `tool-${randomUUID()}`,
      argv: request.argv,
      cwd: request.cwd,
      env: { ...vm.environment, ...request.env },
      stdin: "none",
      output: "piped",
      windowBytes: DEFAULTS.streamWindowBytes,
      timeoutMs: request.timeoutMs,
    },
    reader,
  );
  reader.attach(process);
  const stop = endOnAbort(process, clock, request.signal);
  try {
    const exit = await process.exited;
    // What a background child still holds open is not waited for.
    reader.until({ stdout: exit.stdoutBytes, stderr: exit.stderrBytes });
    await settled(reader.ended, clock);
    if (request.signal.aborted) throw cancelled(request.argv[0] ?? "");
    return exit;
  } finally {
    stop();
    process.close();
  }
}

function endOnAbort(process: VmProcess, clock: Clock, signal: AbortSignal): () => void {
  let kill: (() => void) | undefined;
  const abort = (): void => {
    process.signal("SIGTERM", "session");
    kill = clock.after(TERMINATE_MS, () => process.signal("SIGKILL", "session"));
  };
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  return () => {
    signal.removeEventListener("abort", abort);
    kill?.();
  };
}

async function settled(ended: Promise<void>, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(DRAIN_MS, resolve);
  await Promise.race([ended.catch(() => undefined), promise]);
  cancel();
}

function cancelled(program: string): AgentOsError {
  return new AgentOsError("CANCELLED", `${program} was cancelled`, { operation: program });
}
