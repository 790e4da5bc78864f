import {
  AgentOsError,
  assertProviderKey,
  isModelProvider,
  MODEL_PROVIDERS,
  type SessionSpec,
} from "@agentos/protocol";

import { DEFAULT_MODELS } from "./default-models.ts";
import type { ProviderAccess } from "./provider-model.ts";

/** How a session reaches its model. Throws `INVALID_ARGUMENT`, or `MISSING_KEY` with the variables that may hold it. */
export function providerAccess(spec: SessionSpec): ProviderAccess {
  const name = spec.provider?.name;
  if (name === undefined || !isModelProvider(name)) {
    const expected = `one of ${Object.keys(MODEL_PROVIDERS).join(", ")}`;
    throw invalid("session.provider.name", expected, name);
  }
  const baseUrl = spec.provider?.baseUrl ?? MODEL_PROVIDERS[name].baseUrl;
  if (baseUrl === undefined) {
    throw invalid("session.provider.baseUrl", `the address of a server for ${name}`, baseUrl);
  }
  const model = spec.model ?? DEFAULT_MODELS[name];
  if (model === undefined) throw invalid("session.model", `a model of ${baseUrl}`, model);
  const apiKey = spec.provider?.apiKey;
  assertProviderKey(name, apiKey);
  return { provider: name, model, baseUrl: baseUrl.replace(/\/+$/, ""), apiKey };
}

function invalid(
  argument: string,
  expected: string,
  value: string | undefined,
): AgentOsError<"INVALID_ARGUMENT"> {
  const actual = value ?? "nothing";
  const message = `${argument}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
