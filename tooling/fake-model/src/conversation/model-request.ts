import type { JsonSchema } from "./json-schema.ts";

/** The wire formats that the server speaks. */
export type FormatName = "anthropic" | "openai-responses" | "openai-chat" | "gemini";

/** A request in one form for all formats: what rules look at. */
export interface ModelRequest extends Conversation {
  readonly format: FormatName;
  readonly model: string;
  readonly stream: boolean;
  readonly tools: readonly OfferedTool[];
  /** The schema that the answer must fit, where the request has one. */
  readonly answerSchema: JsonSchema | undefined;
  readonly maxTokens: number | undefined;
  /** The body as it came. */
  readonly body: unknown;
}

/** What was said so far, and where in it we are. */
export interface Conversation {
  /** System and developer texts. */
  readonly system: string;
  readonly messages: readonly Message[];
  /** The user's last text, without what agents put around it in `<system-reminder>`. */
  readonly lastUserText: string;
  /** How many times the user spoke before that. */
  readonly turn: number;
  /** How many times the model has spoken since. */
  readonly step: number;
  /** The tools called since, in order. */
  readonly calls: readonly ToolCall[];
  /** Those of them that were answered after the model last spoke. */
  readonly newResults: readonly AnsweredCall[];
}

/** One message of the conversation. */
export interface Message {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly texts: readonly string[];
  readonly calls: readonly ToolCall[];
  readonly results: readonly ToolResult[];
  /** Images and files. */
  readonly attachments: number;
}

/** A call that the model made. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  readonly result: ToolResult | undefined;
}

/** A call with its result. */
export interface AnsweredCall extends ToolCall {
  readonly result: ToolResult;
}

/** What a tool answered. */
export interface ToolResult {
  readonly callId: string;
  readonly text: string;
  readonly isError: boolean;
}

/** A tool that the model may call. */
export interface OfferedTool {
  readonly name: string;
  readonly description: string;
  readonly schema: JsonSchema;
  /** Takes free text, not JSON. */
  readonly freeForm: boolean;
  readonly namespace: string | undefined;
}
