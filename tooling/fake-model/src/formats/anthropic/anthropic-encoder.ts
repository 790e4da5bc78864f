import type { ErrorKind } from "../../script/http-fault.ts";
import type { StopReason } from "../../script/reply-options.ts";
import type { Usage } from "../../script/usage.ts";
import { parseArguments } from "../parse-arguments.ts";
import type { Block, Encoder, EncoderContext, Ending, Frame } from "../wire-format.ts";
import { anthropicError } from "./anthropic-error.ts";

const STOPS: Readonly<Record<StopReason, string>> = {
  end: "end_turn",
  tool_calls: "tool_use",
  max_tokens: "max_tokens",
  refusal: "refusal",
  stop_sequence: "stop_sequence",
};

const SIGNATURE = "c2NyaXB0ZWQgc2lnbmF0dXJl";

/** Writes an answer as Anthropic's Messages does. */
export class AnthropicEncoder implements Encoder {
  readonly #context: EncoderContext;

  constructor(context: EncoderContext) {
    this.#context = context;
  }

  begin(): readonly Frame[] {
    const usage = { ...usageOf(this.#context.usage), output_tokens: 1 };
    return [frame("message_start", { message: this.#message([], null, usage) })];
  }

  open(block: Block): readonly Frame[] {
    const start = frame("content_block_start", {
      index: block.index,
      content_block: contentBlock({ ...block, content: "" }, true),
    });
    return block.index === 0 ? [start, frame("ping", {})] : [start];
  }

  delta(block: Block, piece: string): readonly Frame[] {
    return [frame("content_block_delta", { index: block.index, delta: deltaOf(block, piece) })];
  }

  close({ type, index }: Block): readonly Frame[] {
    const delta = { type: "signature_delta", signature: SIGNATURE };
    const signed = type === "thinking" ? [frame("content_block_delta", { index, delta })] : [];
    return [...signed, frame("content_block_stop", { index })];
  }

  finish(_blocks: readonly Block[], { stop, usage }: Ending): readonly Frame[] {
    const delta = { stop_reason: STOPS[stop], stop_sequence: null };
    return [frame("message_delta", { delta, usage: usageOf(usage) }), frame("message_stop", {})];
  }

  error(kind: ErrorKind, message: string): readonly Frame[] {
    const requestId = `req_fake_${this.#context.n}`;
    const { body } = anthropicError({ kind, message, limit: undefined, requestId });
    return [{ event: "error", data: body }];
  }

  whole(blocks: readonly Block[], { stop, usage }: Ending): Readonly<Record<string, unknown>> {
    const content = blocks.map((block) => contentBlock(block, false));
    return this.#message(content, STOPS[stop], usageOf(usage));
  }

  #message(content: unknown[], stopReason: string | null, usage: object): Record<string, unknown> {
    const { n, request } = this.#context;
    return {
      id: `msg_fake_${n}`,
      type: "message",
      role: "assistant",
      model: request.model,
      content,
      stop_reason: stopReason,
      stop_sequence: null,
      usage,
    };
  }
}

function frame(type: string, fields: Record<string, unknown>): Frame {
  return { event: type, data: { type, ...fields } };
}

function deltaOf({ type }: Block, piece: string): object {
  switch (type) {
    case "tool":
      return { type: "input_json_delta", partial_json: piece };
    case "thinking":
      return { type: "thinking_delta", thinking: piece };
    case "text":
    case "refusal":
    default:
      return { type: "text_delta", text: piece };
  }
}

function contentBlock({ type, content, tool }: Block, start: boolean): object {
  switch (type) {
    case "tool":
      return {
        type: "tool_use",
        id: tool?.id,
        name: tool?.name,
        input: start ? {} : parseArguments(content),
      };
    case "thinking":
      return { type: "thinking", thinking: content, signature: start ? "" : SIGNATURE };
    case "text":
    case "refusal":
    default:
      return { type: "text", text: content };
  }
}

function usageOf(usage: Usage): object {
  return {
    input_tokens: usage.inputTokens,
    cache_creation_input_tokens: usage.cacheWriteTokens,
    cache_read_input_tokens: usage.cacheReadTokens,
    output_tokens: usage.outputTokens,
    service_tier: "standard",
  };
}
