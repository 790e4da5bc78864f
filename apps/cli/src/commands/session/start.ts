import type { AgentOs, Session } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { type AgentOptions, agentOptions } from "../../session/agent-options.ts";
import { terminalAnswers, turnAnswers, watchTurn } from "../../session/converse.ts";
import { leaseVm } from "../../session/lease-vm.ts";
import { createSessionView } from "../../session/session-view.ts";

export interface StartOptions extends AgentOptions {
  readonly runtime: string;
  readonly vm?: string;
  readonly copy?: string;
  readonly id?: string;
}

/** `agentos session start [PROMPT]`. */
export async function start(
  io: Io,
  globals: GlobalOptions,
  prompt: string | undefined,
  options: StartOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const json = globals.json === true;
  const os = await leaseVm(globals.pool, options.vm, interrupts.signal);
  try {
    if (options.copy !== undefined)
      await os.fs.upload(options.copy, "/workspace", { signal: interrupts.signal });
    // Without rules that ask, no terminal means that asking denies.
    const answers = options.ask === undefined ? terminalAnswers : turnAnswers;
    const onRequest = answers(io, json, interrupts.signal);
    const session = await os.createSession({
      runtime: options.runtime,
      ...(options.id === undefined ? {} : { id: options.id }),
      ...agentOptions(options.runtime, options, io.env),
      ...(onRequest === undefined ? {} : { onRequest }),
    });
    await tell(io, json, os, session);
    if (prompt === undefined) return EXIT_CODE.ok;
    const turn = session.prompt(prompt);
    return await watchTurn(session, turn, createSessionView(io, json), interrupts);
  } finally {
    await os.dispose();
  }
}

async function tell(io: Io, json: boolean, os: AgentOs, session: Session): Promise<void> {
  if (json) {
    await writeJson(io.stdout, { event: "session", sessionId: session.id, vmId: os.id });
    return;
  }
  await write(io.stderr, `session ${session.id} in VM ${os.name ?? os.id}\n`);
}
