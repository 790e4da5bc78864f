/** The providers of models that the runtime `api` speaks to, and which variables of the environment may hold each one's key, first one first. */
export const MODEL_PROVIDERS = {
  anthropic: { keyVariables: ["ANTHROPIC_API_KEY"] },
  /** OpenAI's Responses. */
  openai: { keyVariables: ["OPENAI_API_KEY"] },
  /** OpenAI's Chat Completions. */
  "openai-chat": { keyVariables: ["OPENAI_API_KEY"] },
  gemini: {
    keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"],
  },
  /** Any server that speaks Chat Completions, at `baseUrl`. Its key is optional. */
  "openai-compatible": { keyVariables: [] },
} as const satisfies Record<string, { keyVariables: readonly string[] }>;

export type ModelProvider = keyof typeof MODEL_PROVIDERS;

/** Whether `name` is a provider that this build knows. */
export function isModelProvider(name: string): name is ModelProvider {
  return Object.hasOwn(MODEL_PROVIDERS, name);
}
