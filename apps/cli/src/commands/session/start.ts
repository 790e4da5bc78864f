import {
  AgentOs,
  AgentOsError,
  allow,
  ask,
  deny,
  isAgentOsError,
  type PolicyItem,
  type Session,
  type SessionOptions,
} from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { terminalAnswers, watchTurn } from "../../session/converse.ts";
import { createSessionView } from "../../session/session-view.ts";

export interface StartOptions {
  readonly runtime: string;
  readonly vm?: string;
  readonly copy?: string;
  readonly provider?: string;
  readonly baseUrl?: string;
  readonly keyVariable?: string;
  readonly model?: string;
  readonly id?: string;
  readonly system?: string;
  readonly cwd?: string;
  readonly allow?: readonly string[];
  readonly ask?: readonly string[];
  readonly deny?: readonly string[];
  readonly budgetUsd?: number;
  readonly budgetTurns?: number;
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
  const os = await leaseVm(globals, options, interrupts.signal);
  try {
    if (options.copy !== undefined)
      await os.fs.upload(options.copy, "/workspace", { signal: interrupts.signal });
    const onRequest = terminalAnswers(io, json, interrupts.signal);
    const session = await os.createSession({
      ...sessionOptions(options, io.env),
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

/** The VM named, made where there is none; without a name one that ends with this command. */
async function leaseVm(
  { pool }: GlobalOptions,
  { vm }: StartOptions,
  signal: AbortSignal,
): Promise<AgentOs> {
  if (vm === undefined) return await AgentOs.create({ pool, signal });
  try {
    return await AgentOs.attach(vm, { pool, signal });
  } catch (error) {
    if (!isAgentOsError(error, "NOT_FOUND")) throw error;
    return await AgentOs.create({ pool, name: vm, signal });
  }
}

function sessionOptions(options: StartOptions, env: Io["env"]): SessionOptions {
  const { runtime, model, id, system, cwd, budgetUsd, budgetTurns } = options;
  const wanted = providerOf(options, env);
  const policies = policiesOf(options);
  const budget = {
    ...(budgetUsd === undefined ? {} : { usd: budgetUsd }),
    ...(budgetTurns === undefined ? {} : { turns: budgetTurns }),
  };
  return {
    runtime,
    ...(wanted === undefined ? {} : { provider: wanted }),
    ...(model === undefined ? {} : { model }),
    ...(id === undefined ? {} : { id }),
    ...(system === undefined ? {} : { systemPrompt: { append: system } }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(policies.length === 0 ? {} : { policies }),
    ...(Object.keys(budget).length === 0 ? {} : { budget }),
  };
}

function providerOf(
  { runtime, provider, baseUrl, keyVariable }: StartOptions,
  env: Io["env"],
): SessionOptions["provider"] {
  if (provider === undefined && baseUrl === undefined && keyVariable === undefined)
    return undefined;
  const apiKey = keyVariable === undefined ? undefined : env[keyVariable];
  if (keyVariable !== undefined && apiKey === undefined) throw missingKey(keyVariable);
  return {
    name: provider ?? runtime,
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

function missingKey(variable: string): AgentOsError {
  const message = `the environment variable ${variable} is not set`;
  return new AgentOsError("MISSING_KEY", message, { provider: "", variables: [variable] });
}

/** Rules as they were given; all else keeps the default only where there is none. */
function policiesOf(options: StartOptions): PolicyItem[] {
  return [
    ...(options.allow ?? []).map((tool) => allow(tool)),
    ...(options.ask ?? []).map((tool) => ask(tool)),
    ...(options.deny ?? []).map((tool) => deny(tool)),
  ];
}

async function tell(io: Io, json: boolean, os: AgentOs, session: Session): Promise<void> {
  if (json) {
    await writeJson(io.stdout, { event: "session", sessionId: session.id, vmId: os.id });
    return;
  }
  await write(io.stderr, `session ${session.id} in VM ${os.name ?? os.id}\n`);
}
