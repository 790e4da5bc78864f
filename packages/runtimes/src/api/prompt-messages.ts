import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4TextPart,
  LanguageModelV4ToolResultOutput,
} from "@ai-sdk/provider";
import type { ContentPart, JsonObject, ModelProvider } from "@agentos/protocol";

import type { ProviderOptions } from "./provider-model.ts";
import type { AssistantPart, StoredMessage, StoredToolResult } from "./stored-message.ts";

type AssistantContent = Extract<LanguageModelV4Message, { role: "assistant" }>["content"];

/** The conversation as a provider's SDK takes it. */
export function promptMessages(
  provider: ModelProvider,
  system: string,
  messages: readonly StoredMessage[],
): LanguageModelV4Prompt {
  const prompt = [{ role: "system" as const, content: system }, ...messages.map(promptMessage)];
  return provider === "anthropic" ? withCachePoints(prompt) : prompt;
}

/** Anthropic caches only what it is told to: the system's words and tools, and all up to the last message. */
function withCachePoints(prompt: LanguageModelV4Prompt): LanguageModelV4Prompt {
  const providerOptions = { anthropic: { cacheControl: { type: "ephemeral" } } };
  return prompt.map((message, index) =>
    index === 0 || index === prompt.length - 1 ? { ...message, providerOptions } : message,
  );
}

function promptMessage(message: StoredMessage): LanguageModelV4Message {
  if (message.role === "user") return { role: "user", content: message.content.map(userPart) };
  if (message.role === "tool") {
    return { role: "tool", content: message.results.map(toolResultPart) };
  }
  return { role: "assistant", content: message.parts.map(assistantPart) };
}

function userPart(part: ContentPart): LanguageModelV4TextPart | LanguageModelV4FilePart {
  if (part.type === "text") return { type: "text", text: part.text };
  return filePart(part);
}

function filePart(part: Exclude<ContentPart, { type: "text" }>): LanguageModelV4FilePart {
  const { mediaType, data = "" } = part;
  const filename = part.type === "file" && part.name !== undefined ? { filename: part.name } : {};
  return { type: "file", mediaType, data: { type: "data", data }, ...filename };
}

function assistantPart(part: AssistantPart): AssistantContent[number] {
  const options = part.meta === undefined ? {} : { providerOptions: optionsOf(part.meta) };
  if (part.type === "text") return { type: "text", text: part.text, ...options };
  if (part.type === "thinking") return { type: "reasoning", text: part.text, ...options };
  const { callId: toolCallId, name: toolName, input } = part;
  return { type: "tool-call", toolCallId, toolName, input, ...options };
}

/** By provider, an object each: what else came is left out. */
function optionsOf(meta: JsonObject): ProviderOptions {
  return Object.fromEntries(
    Object.entries(meta).flatMap(([name, value]) =>
      typeof value === "object" && value !== null && !Array.isArray(value) ? [[name, value]] : [],
    ),
  );
}

function toolResultPart(result: StoredToolResult) {
  const { callId: toolCallId, name: toolName } = result;
  return { type: "tool-result" as const, toolCallId, toolName, output: resultOutput(result) };
}

function resultOutput({ outcome, content }: StoredToolResult): LanguageModelV4ToolResultOutput {
  const text = content.map((part) => (part.type === "text" ? part.text : "")).join("\n");
  if (outcome !== "ok") return { type: "error-text", value: text === "" ? outcome : text };
  if (content.every(({ type }) => type === "text")) return { type: "text", value: text };
  const value = content.map((part) =>
    part.type === "text" ? { type: "text" as const, text: part.text } : filePart(part),
  );
  return { type: "content", value };
}
