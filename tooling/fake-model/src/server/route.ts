import { anthropic } from "../formats/anthropic/anthropic.ts";
import { gemini } from "../formats/gemini/gemini.ts";
import { openAiChat } from "../formats/openai-chat/openai-chat.ts";
import { openAiResponses } from "../formats/openai-responses/openai-responses.ts";
import type { WireFormat } from "../formats/wire-format.ts";

/** What a request is for. The format also says how its errors look. */
export interface Route {
  readonly to: "model" | "count-tokens" | "compact" | "models" | "greeting" | "nothing";
  readonly format: WireFormat;
}

type Line = readonly [method: string, path: RegExp, to: Route["to"], format: WireFormat];

/** By the end of the path: a gateway may put anything before it. */
const ROUTES: readonly Line[] = [
  ["POST", /\/messages$/, "model", anthropic],
  ["POST", /\/messages\/count_tokens$/, "count-tokens", anthropic],
  ["POST", /\/responses$/, "model", openAiResponses],
  ["POST", /\/responses\/compact$/, "compact", openAiResponses],
  ["POST", /\/chat\/completions$/, "model", openAiChat],
  ["POST", /\/models\/[^/:]+:(?:generateContent|streamGenerateContent)$/, "model", gemini],
  ["POST", /\/models\/[^/:]+:countTokens$/, "count-tokens", gemini],
  ["GET", /\/v1beta\/models(?:\/[^/:]+)?$/, "models", gemini],
  ["GET", /\/models(?:\/[^/:]+)?$/, "models", openAiResponses],
  ["GET", /^\/$/, "greeting", anthropic],
  ["HEAD", /^\/$/, "greeting", anthropic],
];

/** Finds what a request is for. */
export function routeOf(method: string, path: string): Route {
  const line = ROUTES.find(([verb, pattern]) => verb === method && pattern.test(path));
  if (line !== undefined) return { to: line[2], format: line[3] };
  const near = ROUTES.find(([, pattern]) => pattern.test(path));
  return { to: "nothing", format: near?.[3] ?? openAiChat };
}
