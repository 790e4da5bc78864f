import type { ModelProvider } from "@agentos/protocol";

/** The model of a session that names none, by provider, as of 2026-11-21. A server of one's own has no default. */
export const DEFAULT_MODELS: Readonly<Record<ModelProvider, string | undefined>> = {
  anthropic: "claude-sonnet-5-5",
  openai: "gpt-6.1-sol",
  "openai-chat": "gpt-6.1-sol",
  gemini: "gemini-3.8-flash",
  "openai-compatible": undefined,
};
