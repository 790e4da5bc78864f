import { AgentOs, AgentOsError, isAgentOsError } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { type AgentOptions, agentOptions } from "../../session/agent-options.ts";
import { terminalAnswers, turnAnswers, watchTurn } from "../../session/converse.ts";
import { findSession } from "../../session/find-session.ts";
import { createSessionView } from "../../session/session-view.ts";

export interface ResumeOptions extends AgentOptions {
  /** Where it goes on; its own VM by default. */
  readonly vm?: string;
}

/** `agentos session resume SESSION [PROMPT]`: opens a closed session again. */
export async function resume(
  io: Io,
  globals: GlobalOptions,
  id: string,
  prompt: string | undefined,
  options: ResumeOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { pool, json = false } = globals;
  const { sessionId, vmId, runtime, provider } = await findSession(globals, id);
  const place = { pool, signal: interrupts.signal };
  await using os = await AgentOs.attach(options.vm ?? vmId, place).catch((error: unknown) => {
    throw options.vm === undefined ? withOtherVm(error) : error;
  });
  // Without rules that ask, no terminal means that asking denies.
  const answers = options.ask === undefined ? terminalAnswers : turnAnswers;
  const onRequest = answers(io, json, interrupts);
  const session = await os.createSession({
    ...agentOptions(provider ?? runtime, options, io.env),
    resume: sessionId,
    ...(onRequest === undefined ? { asks: "deny" } : { onRequest }),
  });
  if (json) await writeJson(io.stdout, { event: "session", sessionId, vmId: os.id });
  else await write(io.stderr, `session ${sessionId} goes on\n`);
  if (prompt === undefined) return EXIT_CODE.ok;
  return await watchTurn(session, session.prompt(prompt), createSessionView(io, json), interrupts);
}

/** The session's own VM is gone: it goes on in any other. */
function withOtherVm(error: unknown): unknown {
  if (!isAgentOsError(error, "VM_ENDED")) return error;
  const message = `${error.message}: say with --vm where the session is to go on`;
  return new AgentOsError("VM_ENDED", message, error.details, { cause: error });
}
