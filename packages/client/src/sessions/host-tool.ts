import {
  type CallbackResult,
  ContentPart,
  type HostTool,
  JsonObject,
  parseArgument,
} from "@agentos/protocol";
import * as z from "zod";

import type { SessionFunction } from "./session-functions.ts";

/** What a tool's function gets besides its input. */
export interface ToolContext {
  readonly sessionId: string;
  readonly turnId: string | null;
  /** The same for a repeated call: an idempotency key. */
  readonly callId: string;
  /** Aborted when the turn is cancelled. */
  readonly signal: AbortSignal;
}

/** Text, any JSON value, or content parts with images. */
export type ToolAnswer =
  | string
  | readonly ContentPart[]
  | object
  | number
  | boolean
  | null
  | undefined;

/** A tool that runs in this program. */
export interface ToolDefinition<I extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly description: string;
  /** A zod object: the agent sees it as JSON Schema, and every call is checked by it. */
  readonly input: I;
  /** Its effect is outside the VM, so that the default policy asks. Default true. */
  readonly crossesBorder?: boolean;
  /** Default 120 s. */
  readonly timeoutMs?: number;
  run(input: z.output<I>, context: ToolContext): Promise<ToolAnswer> | ToolAnswer;
}

/** A tool with its input's type taken from the schema. */
export function defineTool<I extends z.ZodType>(definition: ToolDefinition<I>): ToolDefinition<I> {
  return definition;
}

/** What the sidecar is told of a tool. */
export function wireTool({ name, description, input, ...rest }: ToolDefinition): HostTool {
  const inputSchema = JsonObject.parse(z.toJSONSchema(input, { io: "input" }));
  const { crossesBorder, timeoutMs } = rest;
  return {
    name,
    description,
    inputSchema,
    ...(crossesBorder === undefined ? {} : { crossesBorder }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

/** The tool as the sidecar asks it. What it throws is an error's text to the agent. */
export function toolFunction(tool: ToolDefinition): SessionFunction {
  return async ({ ask, sessionId, turnId, callId }, signal) => {
    const value = ask.kind === "tool" ? ask.input : undefined;
    try {
      const input = parseArgument(tool.input, value, tool.name);
      return answerOf(await tool.run(input, { sessionId, turnId, callId, signal }), false);
    } catch (error) {
      return answerOf(error instanceof Error ? error.message : String(error), true);
    }
  };
}

function answerOf(answer: ToolAnswer, isError: boolean): CallbackResult {
  const parts = z.array(ContentPart).min(1).safeParse(answer);
  if (parts.success) return { kind: "tool", isError, content: parts.data };
  const text = typeof answer === "string" ? answer : JSON.stringify(answer ?? null);
  return { kind: "tool", isError, content: [{ type: "text", text }] };
}
