import { AgentOsError } from "../agent-os-error.ts";

interface ProviderFacts {
  /** Which variables of the environment may hold its key, first one first. None: its key is optional. */
  readonly keyVariables: readonly string[];
  /** Where it is, with the version's path, unless a session says. */
  readonly baseUrl: string | undefined;
}

/** The providers of models that agents may have. */
export const MODEL_PROVIDERS = {
  anthropic: {
    keyVariables: ["ANTHROPIC_API_KEY"],
    baseUrl: "https://api.anthropic.com/v1",
  },
  /** OpenAI's Responses. */
  openai: { keyVariables: ["OPENAI_API_KEY"], baseUrl: "https://api.openai.com/v1" },
  /** OpenAI's Chat Completions. */
  "openai-chat": { keyVariables: ["OPENAI_API_KEY"], baseUrl: "https://api.openai.com/v1" },
  gemini: {
    keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"],
    baseUrl: "https://generativelanguage.googleapis.com/v1beta",
  },
  /** Any server that speaks Chat Completions, at `baseUrl`. */
  "openai-compatible": { keyVariables: [], baseUrl: undefined },
} as const satisfies Record<string, ProviderFacts>;

export type ModelProvider = keyof typeof MODEL_PROVIDERS;

/** Whether `name` is a provider that this build knows. */
export function isModelProvider(name: string): name is ModelProvider {
  return Object.hasOwn(MODEL_PROVIDERS, name);
}

/** Throws `MISSING_KEY`, with the variables that may hold it, where the provider needs a key. */
export function assertProviderKey(provider: ModelProvider, apiKey: string | undefined): void {
  const { keyVariables } = MODEL_PROVIDERS[provider];
  if (apiKey !== undefined || keyVariables.length === 0) return;
  const message = `no key for ${provider}: give provider.apiKey, or set ${keyVariables.join(" or ")}`;
  throw new AgentOsError("MISSING_KEY", message, { provider, variables: [...keyVariables] });
}
