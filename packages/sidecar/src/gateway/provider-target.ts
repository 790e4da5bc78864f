import type { ModelApi, ModelProvider } from "@agentos/core";
import {
  AgentOsError,
  assertProviderKey,
  isModelProvider,
  MODEL_PROVIDERS,
  type ModelProvider as ProviderName,
} from "@agentos/protocol";

/** What the gateway puts on a request. A subscription's login will be another kind. */
type ProviderCredential = { readonly kind: "none" } | ApiKeyCredential;

interface ApiKeyCredential {
  readonly kind: "api_key";
  readonly key: string;
}

/** Where a session's model calls go to. */
export interface ProviderTarget {
  readonly name: ProviderName;
  readonly api: ModelApi;
  /** With the version's path, without a slash at its end. */
  readonly baseUrl: URL;
  readonly credential: ProviderCredential;
  /** A server of one's own has its own prices, whatever its models are called. */
  readonly isPriced: boolean;
}

const APIS: Readonly<Record<ProviderName, ModelApi>> = {
  anthropic: "anthropic",
  openai: "openai",
  "openai-chat": "openai",
  "openai-compatible": "openai",
  gemini: "gemini",
};

/** Throws `MISSING_KEY`, or `INVALID_ARGUMENT` for a provider or an address that can't be. */
export function providerTarget(provider: ModelProvider): ProviderTarget {
  const { name, apiKey } = provider;
  if (!isModelProvider(name)) {
    const expected = `one of ${Object.keys(MODEL_PROVIDERS).join(", ")}`;
    throw invalid("session.provider.name", expected, name === "" ? "nothing" : name);
  }
  assertProviderKey(name, apiKey);
  return {
    name,
    api: APIS[name],
    baseUrl: baseUrlOf(name, provider.baseUrl),
    credential: apiKey === undefined ? { kind: "none" } : { kind: "api_key", key: apiKey },
    isPriced: name !== "openai-compatible",
  };
}

/** The headers that prove to the provider whose account it is. */
export function credentialHeaders({ api, credential }: ProviderTarget): Record<string, string> {
  if (credential.kind === "none") return {};
  const { key } = credential;
  if (api === "anthropic") return { "x-api-key": key };
  return api === "gemini" ? { "x-goog-api-key": key } : { authorization: `Bearer ${key}` };
}

function baseUrlOf(name: ProviderName, asked: string | undefined): URL {
  const argument = "session.provider.baseUrl";
  const text = asked ?? MODEL_PROVIDERS[name].baseUrl;
  if (text === undefined) throw invalid(argument, `the address of a server for ${name}`, "nothing");
  const url = URL.parse(text);
  if (url === null) throw invalid(argument, "a URL", "something else");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw invalid(argument, "a URL without a user, query or fragment", url.host);
  // A key in clear text would be everybody's on the way.
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname)))
    throw invalid(argument, "https, or http to this machine", `${url.protocol}//${url.host}`);
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}

/** `URL` has made one spelling of each address. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname);
}

function invalid(
  argument: string,
  expected: string,
  actual: string,
): AgentOsError<"INVALID_ARGUMENT"> {
  const message = `${argument}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
