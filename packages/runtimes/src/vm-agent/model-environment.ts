import type { AgentEndpoint, ModelApi } from "@agentos/core";

type Access = Pick<AgentEndpoint, "api" | "baseUrl" | "token">;

const VARIABLES: Readonly<Record<ModelApi, (access: Access) => Record<string, string>>> = {
  anthropic: ({ baseUrl, token }) => ({ ANTHROPIC_BASE_URL: baseUrl, ANTHROPIC_API_KEY: token }),
  openai: ({ baseUrl, token }) => ({ OPENAI_BASE_URL: `${baseUrl}/v1`, OPENAI_API_KEY: token }),
  gemini: ({ baseUrl, token }) => ({ GOOGLE_GEMINI_BASE_URL: baseUrl, GEMINI_API_KEY: token }),
};

/** The variables by which programs know where their model is. */
export function modelEnvironment(access: Access): Record<string, string> {
  return VARIABLES[access.api](access);
}
