import {
  AgentOsError,
  allow,
  ask,
  deny,
  type PolicyItem,
  providerOf as providerOfRuntime,
  type SessionOptions,
} from "@agentos/client";

import type { Io } from "../io.ts";

/** What a session's agent is, as it was written on the command line. */
export interface AgentOptions {
  readonly provider?: string;
  readonly baseUrl?: string;
  readonly keyVariable?: string;
  readonly model?: string;
  readonly system?: string;
  readonly cwd?: string;
  readonly allow?: readonly string[];
  readonly ask?: readonly string[];
  readonly deny?: readonly string[];
  readonly budgetUsd?: number;
  readonly budgetTurns?: number;
}

/** The options as the client takes them. Throws `MISSING_KEY` where the variable has none. */
export function agentOptions(
  runtime: string,
  options: AgentOptions,
  env: Io["env"],
): Omit<SessionOptions, "runtime"> {
  const { model, system, cwd, budgetUsd, budgetTurns } = options;
  const wanted = providerOf(runtime, options, env);
  const policies = policiesOf(options);
  const budget = {
    ...(budgetUsd === undefined ? {} : { usd: budgetUsd }),
    ...(budgetTurns === undefined ? {} : { turns: budgetTurns }),
  };
  return {
    ...(wanted === undefined ? {} : { provider: wanted }),
    ...(model === undefined ? {} : { model }),
    ...(system === undefined ? {} : { systemPrompt: { append: system } }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(policies.length === 0 ? {} : { policies }),
    ...(Object.keys(budget).length === 0 ? {} : { budget }),
  };
}

function providerOf(
  runtime: string,
  { provider, baseUrl, keyVariable }: AgentOptions,
  env: Io["env"],
): SessionOptions["provider"] {
  if (provider === undefined && baseUrl === undefined && keyVariable === undefined)
    return undefined;
  const apiKey = keyVariable === undefined ? undefined : env[keyVariable];
  const name = provider ?? providerOfRuntime(runtime) ?? runtime;
  if (keyVariable !== undefined && (apiKey ?? "") === "") throw missingKey(name, keyVariable);
  return {
    name,
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

function missingKey(provider: string, variable: string): AgentOsError {
  const message = `no key for ${provider}: the environment variable ${variable} is not set`;
  return new AgentOsError("MISSING_KEY", message, { provider, variables: [variable] });
}

/** Rules as they were given; all else keeps the default only where there is none. */
function policiesOf(options: AgentOptions): PolicyItem[] {
  return [
    ...(options.allow ?? []).map((tool) => allow(tool)),
    ...(options.ask ?? []).map((tool) => ask(tool)),
    ...(options.deny ?? []).map((tool) => deny(tool)),
  ];
}
