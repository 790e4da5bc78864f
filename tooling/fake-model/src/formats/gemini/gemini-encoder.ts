import type { ErrorKind } from "../../script/http-fault.ts";
import type { StopReason } from "../../script/reply-options.ts";
import { promptTokens, type Usage } from "../../script/usage.ts";
import { parseArguments } from "../parse-arguments.ts";
import type { Block, Encoder, EncoderContext, Ending, Frame } from "../wire-format.ts";
import { geminiError } from "./gemini-error.ts";

const STOPS: Readonly<Record<StopReason, string>> = {
  end: "STOP",
  tool_calls: "STOP",
  max_tokens: "MAX_TOKENS",
  refusal: "SAFETY",
  stop_sequence: "STOP",
};

/** Writes an answer as Gemini's generateContent and streamGenerateContent do. */
export class GeminiEncoder implements Encoder {
  readonly #context: EncoderContext;

  constructor(context: EncoderContext) {
    this.#context = context;
  }

  begin(): readonly Frame[] {
    return [];
  }

  open(): readonly Frame[] {
    return [];
  }

  /** A call comes whole, when its arguments are complete. */
  delta(block: Block, piece: string): readonly Frame[] {
    if (block.type === "tool") return [];
    return [this.#chunk(partsOf({ ...block, content: piece }), this.#context.usage)];
  }

  close(block: Block): readonly Frame[] {
    const parts = block.type === "tool" ? partsOf(block) : [];
    return parts.length === 0 ? [] : [this.#chunk(parts, this.#context.usage)];
  }

  finish(blocks: readonly Block[], { stop, usage }: Ending): readonly Frame[] {
    const parts = blocks.length === 0 || blocks.some(isMalformed) ? [] : [{ text: "" }];
    return [this.#chunk(parts, usage, finishReason(blocks, stop))];
  }

  error(kind: ErrorKind, message: string): readonly Frame[] {
    return [{ data: geminiError({ kind, message, limit: undefined, requestId: "" }).body }];
  }

  whole(blocks: readonly Block[], { stop, usage }: Ending): Readonly<Record<string, unknown>> {
    return this.#answer(blocks.flatMap(partsOf), usage, finishReason(blocks, stop));
  }

  #chunk(parts: object[], usage: Usage, reason?: string): Frame {
    return { data: this.#answer(parts, usage, reason) };
  }

  #answer(parts: object[], usage: Usage, reason?: string): Record<string, unknown> {
    const { request, n } = this.#context;
    const content = parts.length === 0 ? { role: "model" } : { role: "model", parts };
    const ended = reason === undefined ? {} : { finishReason: reason };
    return {
      candidates: [{ content, ...ended, index: 0 }],
      usageMetadata: usageOf(usage),
      modelVersion: request.model,
      responseId: `fake-${n}`,
    };
  }
}

function finishReason(blocks: readonly Block[], stop: StopReason): string {
  return blocks.some(isMalformed) ? "MALFORMED_FUNCTION_CALL" : STOPS[stop];
}

/** Gemini never shows arguments that are no object: the answer ends without the call. */
function isMalformed({ type, content }: Block): boolean {
  return type === "tool" && typeof parseArguments(content) !== "object";
}

function partsOf(block: Block): object[] {
  const { type, content, tool } = block;
  switch (type) {
    case "thinking":
      return [{ text: content, thought: true }];
    case "tool": {
      if (isMalformed(block)) return [];
      const functionCall = { id: tool?.id, name: tool?.name, args: parseArguments(content) };
      return [{ functionCall, thoughtSignature: "c2NyaXB0ZWQ=" }];
    }
    case "text":
    case "refusal":
    default:
      return [{ text: content }];
  }
}

function usageOf(usage: Usage): object {
  const prompt = promptTokens(usage);
  return {
    promptTokenCount: prompt,
    cachedContentTokenCount: usage.cacheReadTokens,
    candidatesTokenCount: usage.outputTokens - usage.reasoningTokens,
    thoughtsTokenCount: usage.reasoningTokens,
    totalTokenCount: prompt + usage.outputTokens,
  };
}
