import type { AgentOs } from "@agentos/client";

import { EXIT_CODE, exitCodeOf } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { drainOutput } from "./drain-output.ts";
import type { GuestOutput } from "./guest-output.ts";
import type { Interrupts } from "./interrupts.ts";
import { StdinSource } from "./stdin-source.ts";
import { tellLimit } from "./vm-limits.ts";

/** What a person says of a process besides its program. */
export interface ProcessOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly stdin: boolean;
}

export interface GuestCommand {
  readonly os: AgentOs;
  readonly argv: readonly string[];
  readonly options: ProcessOptions;
  readonly output: GuestOutput;
  readonly interrupts: Interrupts;
  /** Events say what else would be a line on stderr. */
  readonly json: boolean;
}

/** Runs a process of a VM on this command's own stdio, and resolves with the exit code to pass on. */
export async function runGuest(io: Io, command: GuestCommand): Promise<number> {
  const { os, argv, options, output, interrupts } = command;
  using stdin = new StdinSource(io.stdin, options.stdin);
  await using guest = await os.spawn(argv, {
    env: options.env,
    cwd: options.cwd,
    timeoutMs: options.timeout,
    stdin: stdin.source,
  });
  const killed = Promise.withResolvers<number>();
  interrupts.deliverTo({
    // A guest that has ended meanwhile needs no signal.
    forward: (signal) => void guest.kill(signal).catch(() => undefined),
    kill: () => killed.resolve(interrupts.exitCode ?? EXIT_CODE.interrupted),
  });
  await output.event("started", { processId: guest.id, pid: guest.pid });
  const ended = finish(io, { ...command, guest });
  // When the second Ctrl-C wins, what `ended` still says matters to nobody.
  ended.catch(() => undefined);
  return await Promise.race([ended, killed.promise]);
}

type Guest = Awaited<ReturnType<AgentOs["spawn"]>>;

async function finish(io: Io, command: GuestCommand & { readonly guest: Guest }): Promise<number> {
  const { guest, output } = command;
  await drainOutput(guest, output);
  const exit = await guest.exited;
  await output.end();
  await output.event("exited", exit);
  if (exit.limit !== undefined && !command.json) await tellLimit(io, exit.limit);
  return exitCodeOf(exit);
}
