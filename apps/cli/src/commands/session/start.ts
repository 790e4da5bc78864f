import { stat } from "node:fs/promises";

import { type AgentOs, AgentOsError, type Session } from "@agentos/client";

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
  if (options.copy !== undefined) await assertDirectory(options.copy);
  const os = await leaseVm(globals.pool, options.vm, interrupts.signal);
  try {
    if (options.copy !== undefined)
      await os.fs.upload(options.copy, "/workspace", { signal: interrupts.signal });
    // Without rules that ask, no terminal means that asking denies.
    const answers = options.ask === undefined ? terminalAnswers : turnAnswers;
    const onRequest = answers(io, json, interrupts);
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

/** Before a VM is made for it. */
async function assertDirectory(path: string): Promise<void> {
  const isDirectory = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (isDirectory) return;
  const details = { argument: "--copy", expected: "a directory of this machine", actual: path };
  const message = `--copy: expected ${details.expected}, got ${JSON.stringify(path)}`;
  throw new AgentOsError("INVALID_ARGUMENT", message, details);
}

async function tell(io: Io, json: boolean, os: AgentOs, session: Session): Promise<void> {
  if (json) {
    await writeJson(io.stdout, { event: "session", sessionId: session.id, vmId: os.id });
    return;
  }
  await write(io.stderr, `session ${session.id} in VM ${os.name ?? os.id}\n`);
}
