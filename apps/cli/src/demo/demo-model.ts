import { once } from "node:events";
import { access } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import {
  AgentOsError,
  providerOf,
  type ProviderOption,
  type SessionOptions,
} from "@agentos/client";
import { execa } from "execa";

import type { Io } from "../io.ts";
import { PACKAGE_ROOT } from "../package-root.ts";

/** The scripted model's program, which a clone has and the published package has not. */
const SCRIPTED = "../../tooling/fake-model/dist/main.js";
/** Any one will do: it is checked by nobody. */
const SCRIPTED_KEY = "scripted";
/** Of the newest models Codex offers tools in a form that the script does not know. */
const SCRIPTED_MODELS: Readonly<Record<string, string>> = { codex: "gpt-5.1" };
/** Between two pieces of its text, so that a person sees them come. */
const PACE_MS = 4;
const START_MS = 10_000;

export interface DemoModelOptions {
  /** A coding agent, in place of one that is a model alone. */
  readonly agent?: string;
  readonly provider?: string;
  readonly baseUrl?: string;
  readonly keyVariable?: string;
  readonly model?: string;
}

/** Who plays the agent's model. */
export interface DemoModel extends AsyncDisposable {
  readonly said: string;
  readonly session: Pick<SessionOptions, "provider" | "model"> & { readonly runtime: string };
}

/** The provider that was asked for, else the scripted model; undefined where it is not there. Rejects with `MISSING_KEY`. */
export async function openDemoModel(
  options: DemoModelOptions,
  env: Io["env"],
  signal: AbortSignal,
): Promise<DemoModel | undefined> {
  const isReal = options.provider !== undefined || options.baseUrl !== undefined;
  return isReal ? realModel(options, env) : await scriptedModel(options, signal);
}

function realModel(options: DemoModelOptions, env: Io["env"]): DemoModel {
  const { agent = "api", baseUrl, keyVariable, model } = options;
  const { provider = providerOf(agent) ?? "openai-compatible" } = options;
  const apiKey = keyVariable === undefined ? undefined : env[keyVariable];
  if (keyVariable !== undefined && apiKey === undefined) {
    const message = `the environment variable ${keyVariable} is not set`;
    throw new AgentOsError("MISSING_KEY", message, { provider, variables: [keyVariable] });
  }
  return {
    said: `The model is ${provider}'s${baseUrl === undefined ? "" : `, at ${baseUrl}`}.`,
    session: {
      runtime: agent,
      provider: {
        name: provider,
        ...(baseUrl === undefined ? {} : { baseUrl }),
        ...(apiKey === undefined ? {} : { apiKey }),
      },
      ...(model === undefined ? {} : { model }),
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function scriptedModel(
  { agent = "api", model = SCRIPTED_MODELS[agent] }: DemoModelOptions,
  signal: AbortSignal,
): Promise<DemoModel | undefined> {
  const program = fileURLToPath(new URL(SCRIPTED, PACKAGE_ROOT));
  const isThere = await access(program).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  const args = ["--script", "fix-failing-test", "--until-stdin-ends", "--pace-ms", `${PACE_MS}`];
  const child = execa(process.execPath, [program, ...args], {
    env: {},
    extendEnv: false,
    stderr: "ignore",
    cancelSignal: signal,
    reject: false,
  });
  const [line] = await once(createInterface(child.stdout), "line", {
    signal: AbortSignal.any([signal, AbortSignal.timeout(START_MS)]),
  });
  const url = urlOf(String(line));
  return {
    said: "The model is scripted: a program of this repository plays it. Nothing is spent; the cost\nshown is what such a model lists. --provider anthropic|openai|gemini takes a real one.",
    session: {
      runtime: agent,
      provider: scriptedProvider(agent, url),
      ...(model === undefined ? {} : { model }),
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await child;
    },
  };
}

/** It speaks every provider's format: the agent takes the one that it knows. */
function scriptedProvider(agent: string, url: string): ProviderOption {
  const name = providerOf(agent) ?? "anthropic";
  return { name, baseUrl: `${url}/${name === "gemini" ? "v1beta" : "v1"}`, apiKey: SCRIPTED_KEY };
}

function urlOf(line: string): string {
  const said: unknown = JSON.parse(line);
  if (typeof said === "object" && said !== null && "url" in said) return String(said.url);
  throw new AgentOsError("INTERNAL", `the scripted model said ${line}`, { reason: "no url" });
}
