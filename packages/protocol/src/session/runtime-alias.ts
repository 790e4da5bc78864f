import { AgentOsError } from "../agent-os-error.ts";
import type { SessionSpec } from "./session-spec.ts";

/** Names of a runtime that mean `api` with a provider. */
const ALIASES: Readonly<Record<string, string>> = {
  anthropic: "anthropic",
  openai: "openai",
  gemini: "gemini",
};

/** Where the models of an agent are that speaks to one provider, or to this one first. */
const RUNTIME_PROVIDERS: Readonly<Record<string, string>> = {
  "claude-code": "anthropic",
  codex: "openai",
  "gemini-cli": "gemini",
  opencode: "anthropic",
  pi: "anthropic",
};

/** The provider that a runtime means where its session names none. */
export function providerOf(runtime: string): string | undefined {
  return ALIASES[runtime] ?? RUNTIME_PROVIDERS[runtime];
}

/** The other names of a runtime. */
export function aliasesOf(runtime: string): readonly string[] {
  return runtime === "api" ? Object.keys(ALIASES) : [];
}

/**
 * The specification with its runtime's real name: `anthropic`, `openai` and `gemini` mean `api` with that
 * provider. Throws `INVALID_ARGUMENT` where `provider.name` says another one.
 */
export function withoutAlias<S extends Pick<SessionSpec, "runtime" | "provider">>(spec: S): S {
  const expected = Object.hasOwn(ALIASES, spec.runtime) ? ALIASES[spec.runtime] : undefined;
  if (expected === undefined) {
    const name = spec.provider === undefined ? providerOf(spec.runtime) : undefined;
    return name === undefined ? spec : { ...spec, provider: { name } };
  }
  const actual = spec.provider?.name ?? expected;
  if (actual !== expected) {
    const argument = "session.provider.name";
    const message = `${argument}: the runtime ${spec.runtime} expects ${expected}, got ${actual}`;
    throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
  }
  return { ...spec, runtime: "api", provider: { ...spec.provider, name: expected } };
}
