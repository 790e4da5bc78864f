import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { findSession } from "../../session/find-session.ts";

export interface ForkOptions {
  /** The new VM's name. */
  readonly vm: string;
}

/** `agentos session fork SESSION --vm NAME`: a second session that goes on from this one's state, in a fork of its VM. */
export async function fork(
  io: Io,
  globals: GlobalOptions,
  id: string,
  { vm }: ForkOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { pool, json = false } = globals;
  const { signal } = interrupts;
  const { sessionId: parent, vmId } = await findSession(globals, id);
  await using from = await AgentOs.attach(vmId, { pool, signal });
  const source = await from.sessions.get(parent);
  const { os, session } = await source.fork({ name: vm, signal });
  await using into = os;
  if (json) await writeJson(io.stdout, { sessionId: session.id, vmId: into.id, parent });
  else await write(io.stdout, `${session.id}\n`);
  return EXIT_CODE.ok;
}
