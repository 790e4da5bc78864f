import { isModelProvider, MODEL_PROVIDERS, providerOf, type SessionSpec } from "@agentos/protocol";

type Provider = NonNullable<SessionSpec["provider"]>;

/** A provider by name, or with where it is and its key. */
export type ProviderOption = string | Provider;

/**
 * The provider with its key: the caller's, or that of this program's environment, by the
 * variables that the provider's own programs use. The sidecar reads no environment.
 */
export function withKey(
  runtime: string | undefined,
  provider: ProviderOption | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Provider | undefined {
  const given = typeof provider === "string" ? { name: provider } : provider;
  const meant = runtime === undefined || isModelProvider(runtime) ? runtime : providerOf(runtime);
  const asked = given ?? (meant === undefined ? undefined : { name: meant });
  if (asked === undefined || asked.apiKey !== undefined) return asked;
  if (!isModelProvider(asked.name)) return asked;
  const variables: readonly string[] = MODEL_PROVIDERS[asked.name].keyVariables;
  const apiKey = variables
    .map((name) => env[name])
    .find((value) => value !== undefined && value !== "");
  return apiKey === undefined ? asked : { ...asked, apiKey };
}
