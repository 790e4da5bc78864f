import type { AgentEndpoint, ToolDoor } from "@agentos/core";
import {
  AgentOsError,
  isModelProvider,
  type JsonObject,
  type SessionSpec,
} from "@agentos/protocol";

import { DEFAULT_MODELS } from "../api/default-models.ts";
import { MODEL_PRICES } from "../prices/model-prices.ts";

/** The name of our provider in its settings. */
const PROVIDER = "agentos";

/** What it speaks to each provider with; all are in its program. */
export const PROVIDER_PACKAGES: Readonly<Record<string, { npm: string; path: string }>> = {
  anthropic: { npm: "@ai-sdk/anthropic", path: "/v1" },
  openai: { npm: "@ai-sdk/openai", path: "/v1" },
  "openai-chat": { npm: "@ai-sdk/openai-compatible", path: "/v1" },
  "openai-compatible": { npm: "@ai-sdk/openai-compatible", path: "/v1" },
  gemini: { npm: "@ai-sdk/google", path: "/v1beta" },
};

/** It keeps a conversation below the first, and asks for no longer answers than the second. */
const LIMIT = { context: 200_000, output: 32_000 };

export interface OpencodeConfigOptions {
  readonly spec: SessionSpec;
  readonly endpoint: AgentEndpoint | undefined;
  readonly door: ToolDoor | undefined;
  /** Files with the system's words. */
  readonly instructions: readonly string[];
}

/** Its settings: one provider, the gateway; every tool asks; nothing is fetched or shared. */
export function opencodeConfig(options: OpencodeConfigOptions): JsonObject {
  const { spec, endpoint, door, instructions } = options;
  const { npm, path } = PROVIDER_PACKAGES[spec.provider?.name ?? ""] ?? { npm: "", path: "" };
  const model = opencodeModel(modelOf(spec));
  return {
    autoupdate: false,
    share: "disabled",
    model,
    small_model: model,
    enabled_providers: [PROVIDER],
    // The door of the session's own tools asks itself.
    permission: { "*": "ask", "agentos_*": "allow" },
    instructions: [...instructions],
    provider: {
      [PROVIDER]: {
        npm,
        name: "AgentOS",
        options: { baseURL: `${endpoint?.baseUrl ?? ""}${path}`, apiKey: endpoint?.token ?? "" },
        models: Object.fromEntries(
          modelsFor(spec).map((name) => [name, { name, limit: { ...LIMIT } }]),
        ),
      },
    },
    ...(door === undefined ? {} : { mcp: { agentos: doorServer(door) } }),
  };
}

export function opencodeModel(model: string): string {
  return `${PROVIDER}/${model}`;
}

/** Throws `INVALID_ARGUMENT` where neither the session nor its provider names one. */
export function modelOf({ model, provider }: SessionSpec): string {
  const name = provider?.name ?? "";
  const found = model ?? (isModelProvider(name) ? DEFAULT_MODELS[name] : undefined);
  if (found !== undefined) return found;
  const argument = "session.model";
  const expected = `a model of ${name}`;
  const message = `${argument}: expected ${expected}, got nothing`;
  throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual: "nothing" });
}

/** It takes no model that it was not told of: those that are known may be switched to. */
function modelsFor(spec: SessionSpec): string[] {
  return [...new Set([modelOf(spec), ...MODEL_PRICES.map(({ model }) => model)])];
}

function doorServer({ mcp, env }: ToolDoor): JsonObject {
  const command = [mcp.command, ...mcp.args];
  return { type: "local", command, environment: { ...env }, enabled: true };
}
