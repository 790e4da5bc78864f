import type { LanguageModelV4, LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { loadPackage, type ModelProvider } from "@agentos/protocol";

/** What a session needs to reach its model. Nothing of it ever comes from the sidecar's environment. */
export interface ProviderAccess {
  readonly provider: ModelProvider;
  readonly model: string;
  /** Where the provider is spoken to, with the version's path. */
  readonly baseUrl: string;
  /** Undefined only for a server of one's own. */
  readonly apiKey: string | undefined;
}

type Fetch = typeof globalThis.fetch;

export type ProviderOptions = NonNullable<LanguageModelV4CallOptions["providerOptions"]>;

/** The SDK of a provider is there. Rejects with `PACKAGE_MISSING`. */
export async function loadProvider(provider: ModelProvider): Promise<void> {
  await SDKS[provider]();
}

/** The model, as its provider's SDK speaks to it, by this `fetch`. Rejects with `PACKAGE_MISSING`. */
export async function providerModel(
  access: ProviderAccess,
  fetch: Fetch,
): Promise<LanguageModelV4> {
  return await MODELS[access.provider](access, fetch);
}

const openAi = () => loadPackage("@ai-sdk/openai", 4, () => import("@ai-sdk/openai"));

const SDKS = {
  anthropic: () => loadPackage("@ai-sdk/anthropic", 4, () => import("@ai-sdk/anthropic")),
  openai: openAi,
  "openai-chat": openAi,
  gemini: () => loadPackage("@ai-sdk/google", 4, () => import("@ai-sdk/google")),
  "openai-compatible": () =>
    loadPackage("@ai-sdk/openai-compatible", 3, () => import("@ai-sdk/openai-compatible")),
};

type MakeModel = (access: ProviderAccess, fetch: Fetch) => Promise<LanguageModelV4>;

const MODELS: Readonly<Record<ModelProvider, MakeModel>> = {
  anthropic: async ({ baseUrl: baseURL, apiKey = "", model }, fetch) =>
    (await SDKS.anthropic()).createAnthropic({ baseURL, apiKey, fetch })(model),
  openai: async ({ baseUrl: baseURL, apiKey = "", model }, fetch) =>
    (await SDKS.openai()).createOpenAI({ baseURL, apiKey, fetch }).responses(model),
  "openai-chat": async ({ baseUrl: baseURL, apiKey = "", model }, fetch) =>
    (await SDKS.openai()).createOpenAI({ baseURL, apiKey, fetch }).chat(model),
  gemini: async ({ baseUrl: baseURL, apiKey = "", model }, fetch) =>
    (await SDKS.gemini()).createGoogle({ baseURL, apiKey, fetch })(model),
  "openai-compatible": async ({ baseUrl: baseURL, apiKey, model, provider: name }, fetch) => {
    const { createOpenAICompatible } = await SDKS["openai-compatible"]();
    const key = apiKey === undefined ? {} : { apiKey };
    return createOpenAICompatible({ name, baseURL, includeUsage: true, fetch, ...key })(model);
  },
};
