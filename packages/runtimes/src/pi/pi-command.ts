import { posix } from "node:path";

import type { AgentEndpoint, SessionVm } from "@agentos/core";
import {
  AgentOsError,
  isModelProvider,
  type JsonObject,
  type SessionSpec,
} from "@agentos/protocol";

import { DEFAULT_MODELS } from "../api/default-models.ts";
import { MODEL_PRICES } from "../prices/model-prices.ts";

/** The name of our provider in its settings. */
export const PI_PROVIDER = "agentos";
const KEY_VARIABLE = "AGENTOS_MODEL_KEY";

/** What it speaks to each provider, and the path that it wants in an address. */
export const PI_APIS: Readonly<Record<string, { api: string; path: string }>> = {
  anthropic: { api: "anthropic-messages", path: "" },
  openai: { api: "openai-responses", path: "/v1" },
  "openai-chat": { api: "openai-completions", path: "/v1" },
  "openai-compatible": { api: "openai-completions", path: "/v1" },
  gemini: { api: "google-generative-ai", path: "/v1beta" },
};

const CONTEXT_TOKENS = 200_000;
const OUTPUT_TOKENS = 32_000;

/** What Pi keeps in a VM: beside the one that a person may use there. */
export interface PiHome {
  readonly folder: string;
  readonly sessions: string;
  readonly extension: string;
  readonly tools: string;
}

/** The settings are a session's own; conversations are where each session finds them. */
export function piHome({ environment }: SessionVm, sessionId: string): PiHome {
  const root = posix.join(environment["HOME"] ?? "/root", ".agentos", "pi");
  const folder = posix.join(root, sessionId);
  return {
    folder,
    sessions: posix.join(root, "sessions"),
    extension: posix.join(folder, "agentos.mjs"),
    tools: posix.join(folder, "tools.json"),
  };
}

export function piModels(spec: SessionSpec, { baseUrl }: AgentEndpoint): JsonObject {
  const { api, path } = PI_APIS[spec.provider?.name ?? ""] ?? { api: "", path: "" };
  const names = new Set([piModel(spec), ...MODEL_PRICES.map(({ model }) => model)]);
  const free = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  const models = [...names].map((id) => ({
    id,
    name: id,
    reasoning: spec.thinking !== undefined && spec.thinking !== "off",
    input: ["text", "image"],
    // The gateway counts.
    cost: free,
    contextWindow: CONTEXT_TOKENS,
    maxTokens: spec.maxOutputTokens ?? OUTPUT_TOKENS,
  }));
  const provider = { baseUrl: `${baseUrl}${path}`, api, apiKey: `$${KEY_VARIABLE}`, models };
  return { providers: { [PI_PROVIDER]: provider } };
}

/** Tries are the caller's to count. */
export function piSettings(spec: SessionSpec): JsonObject {
  return {
    retry: { enabled: false },
    ...(spec.compaction === undefined
      ? {}
      : {
          compaction: {
            enabled: true,
            reserveTokens: Math.max(1_000, CONTEXT_TOKENS - spec.compaction.tokenThreshold),
          },
        }),
  };
}

/** The command line after the program. */
export function piArguments(
  spec: SessionSpec,
  home: PiHome,
  words: { replaced?: string; appended: string },
  resumed: string | undefined,
): string[] {
  const { thinking } = spec;
  return [
    "--mode",
    "rpc",
    "--provider",
    PI_PROVIDER,
    "--model",
    piModel(spec),
    "--session-dir",
    home.sessions,
    "--extension",
    home.extension,
    ...(thinking === undefined ? [] : ["--thinking", thinking]),
    ...(words.replaced === undefined ? [] : ["--system-prompt", words.replaced]),
    ...(words.appended === "" ? [] : ["--append-system-prompt", words.appended]),
    ...(resumed === undefined ? [] : ["--session", resumed]),
  ];
}

export function piEnvironment(home: PiHome, { token }: AgentEndpoint): Record<string, string> {
  return {
    PI_OFFLINE: "1",
    PI_SKIP_VERSION_CHECK: "1",
    PI_TELEMETRY: "0",
    PI_CODING_AGENT_DIR: home.folder,
    [KEY_VARIABLE]: token,
  };
}

/** Throws `INVALID_ARGUMENT` where neither the session nor its provider names one. */
export function piModel({ model, provider }: SessionSpec): string {
  const name = provider?.name ?? "";
  const found = model ?? (isModelProvider(name) ? DEFAULT_MODELS[name] : undefined);
  if (found !== undefined) return found;
  const argument = "session.model";
  const expected = `a model of ${name}`;
  const message = `${argument}: expected ${expected}, got nothing`;
  throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual: "nothing" });
}
