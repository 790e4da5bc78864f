import * as z from "zod";

import type { ErrorKind } from "../../script/http-fault.ts";
import type { StopReason } from "../../script/reply-options.ts";
import { promptTokens, type Usage } from "../../script/usage.ts";
import { openAiError } from "../openai-error.ts";
import type { Block, Encoder, EncoderContext, Ending, Frame } from "../wire-format.ts";

const STOPS: Readonly<Record<StopReason, string>> = {
  end: "stop",
  tool_calls: "tool_calls",
  max_tokens: "length",
  refusal: "stop",
  stop_sequence: "stop",
};

const StreamOptions = z.object({ stream_options: z.object({ include_usage: z.literal(true) }) });

/** Writes an answer as OpenAI's Chat Completions does. */
export class ChatEncoder implements Encoder {
  readonly #context: EncoderContext;
  readonly #withUsage: boolean;

  constructor(context: EncoderContext) {
    this.#context = context;
    this.#withUsage = StreamOptions.safeParse(context.request.body).success;
  }

  begin(): readonly Frame[] {
    return this.#chunk({ role: "assistant", content: "", refusal: null });
  }

  open({ type, indexOfType, tool }: Block): readonly Frame[] {
    if (type !== "tool") return [];
    const call = { name: tool?.name, arguments: "" };
    return this.#chunk({
      tool_calls: [{ index: indexOfType, id: tool?.id, type: "function", function: call }],
    });
  }

  delta({ type, indexOfType }: Block, piece: string): readonly Frame[] {
    switch (type) {
      case "text":
        return this.#chunk({ content: piece });
      case "refusal":
        return this.#chunk({ refusal: piece });
      case "thinking":
        // OpenAI shows none here; those who took over its format do, by this name.
        return this.#chunk({ reasoning_content: piece });
      case "tool":
      default:
        return this.#chunk({
          tool_calls: [{ index: indexOfType, function: { arguments: piece } }],
        });
    }
  }

  close(): readonly Frame[] {
    return [];
  }

  finish(_blocks: readonly Block[], { stop, usage }: Ending): readonly Frame[] {
    const last = this.#chunk({}, STOPS[stop]);
    const counts = { ...this.#head("chat.completion.chunk"), choices: [], usage: usageOf(usage) };
    return [...last, ...(this.#withUsage ? [{ data: counts }] : []), { data: "[DONE]" }];
  }

  error(kind: ErrorKind, message: string): readonly Frame[] {
    return [{ data: openAiError({ kind, message, limit: undefined, requestId: "" }).body }];
  }

  whole(blocks: readonly Block[], { stop, usage }: Ending): Readonly<Record<string, unknown>> {
    const calls = blocks.flatMap(({ tool, content }) =>
      tool === undefined
        ? []
        : [{ id: tool.id, type: "function", function: { name: tool.name, arguments: content } }],
    );
    const reasoning = joined(blocks, "thinking");
    const message = {
      role: "assistant",
      content: joined(blocks, "text"),
      refusal: joined(blocks, "refusal"),
      ...(reasoning === null ? {} : { reasoning_content: reasoning }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    };
    const choice = { index: 0, message, logprobs: null, finish_reason: STOPS[stop] };
    return { ...this.#head("chat.completion"), choices: [choice], usage: usageOf(usage) };
  }

  #chunk(delta: object, finishReason: string | null = null): Frame[] {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finishReason };
    const usage = this.#withUsage ? { usage: null } : {};
    return [{ data: { ...this.#head("chat.completion.chunk"), choices: [choice], ...usage } }];
  }

  #head(object: string): Record<string, unknown> {
    const { n, createdAt, request } = this.#context;
    const created = Math.floor(createdAt.getTime() / 1000);
    return { id: `chatcmpl-fake-${n}`, object, created, model: request.model };
  }
}

function joined(blocks: readonly Block[], type: Block["type"]): string | null {
  const texts = blocks.filter((block) => block.type === type).map(({ content }) => content);
  return texts.length === 0 ? null : texts.join("");
}

function usageOf(usage: Usage): object {
  const prompt = promptTokens(usage);
  return {
    prompt_tokens: prompt,
    completion_tokens: usage.outputTokens,
    total_tokens: prompt + usage.outputTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cacheReadTokens,
      cache_write_tokens: usage.cacheWriteTokens,
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}
