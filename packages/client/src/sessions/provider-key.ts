import type { SessionSpec } from "@agentos/protocol";

/** The environment variables that a provider's key is read from, where the caller gives none. */
const KEY_VARIABLES: Readonly<Record<string, readonly string[]>> = {
  anthropic: ["ANTHROPIC_API_KEY"],
  openai: ["OPENAI_API_KEY"],
  "openai-chat": ["OPENAI_API_KEY"],
  gemini: ["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"],
};

type Provider = NonNullable<SessionSpec["provider"]>;

/** A provider by name, or with where it is and its key. */
export type ProviderOption = string | Provider;

/**
 * The provider with its key: the caller's, or that of this program's environment, by the
 * variables that the provider's own programs use. The sidecar reads no environment.
 */
export function withKey(
  runtime: string,
  provider: ProviderOption | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Provider | undefined {
  const given = typeof provider === "string" ? { name: provider } : provider;
  const asked = given ?? (Object.hasOwn(KEY_VARIABLES, runtime) ? { name: runtime } : undefined);
  if (asked === undefined || asked.apiKey !== undefined) return asked;
  const apiKey = (KEY_VARIABLES[asked.name] ?? [])
    .map((name) => env[name])
    .find((value) => value !== undefined && value !== "");
  return apiKey === undefined ? asked : { ...asked, apiKey };
}
