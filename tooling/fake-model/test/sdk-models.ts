import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModel } from "ai";

import type { FormatName } from "../src/index.ts";

/** A made-up key: what a test looks for where it must not be. */
export const KEY = "canary-1f9b";

/** How a real SDK speaks one of the formats to a server. */
export interface SdkModel {
  readonly name: string;
  readonly format: FormatName;
  readonly model: (url: string) => LanguageModel;
}

/** Every format, by every SDK that speaks it. */
export const SDK_MODELS: readonly SdkModel[] = [
  {
    name: "anthropic",
    format: "anthropic",
    model: (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: KEY })("claude-sonnet-4-5"),
  },
  {
    name: "openai responses",
    format: "openai-responses",
    model: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: KEY })("gpt-5"),
  },
  {
    name: "openai chat",
    format: "openai-chat",
    model: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: KEY }).chat("gpt-4o"),
  },
  {
    name: "openai compatible",
    format: "openai-chat",
    model: (url) =>
      createOpenAICompatible({
        name: "local",
        baseURL: `${url}/v1`,
        apiKey: KEY,
        includeUsage: true,
      })("local-1"),
  },
  {
    name: "gemini",
    format: "gemini",
    model: (url) => createGoogle({ baseURL: `${url}/v1beta`, apiKey: KEY })("gemini-2.5-flash"),
  },
];
