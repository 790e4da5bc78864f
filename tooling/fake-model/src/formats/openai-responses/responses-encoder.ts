import type { ErrorKind } from "../../script/http-fault.ts";
import { promptTokens, type Usage } from "../../script/usage.ts";
import { openAiError } from "../openai-error.ts";
import type { Block, Encoder, EncoderContext, Ending, Frame } from "../wire-format.ts";
import { contentPart, responsesItem } from "./responses-item.ts";

/** Writes an answer as OpenAI's Responses does. */
export class ResponsesEncoder implements Encoder {
  readonly #context: EncoderContext;
  #sequence = 0;

  constructor(context: EncoderContext) {
    this.#context = context;
  }

  begin(): readonly Frame[] {
    const response = this.#response("in_progress", []);
    return [
      this.#frame("response.created", { response }),
      this.#frame("response.in_progress", { response }),
    ];
  }

  open(block: Block): readonly Frame[] {
    const item = this.#item(block, "in_progress");
    const added = this.#frame("response.output_item.added", { output_index: block.index, item });
    if (block.type === "tool") return [added];
    const empty = { ...block, content: "" };
    if (block.type === "thinking") {
      const part = { type: "summary_text", text: "" };
      const place = this.#summaryPlace(block);
      return [added, this.#frame("response.reasoning_summary_part.added", { ...place, part })];
    }
    const part = { ...this.#place(block), part: contentPart(empty) };
    return [added, this.#frame("response.content_part.added", part)];
  }

  delta(block: Block, delta: string): readonly Frame[] {
    switch (block.type) {
      case "text": {
        const fields = { ...this.#place(block), delta, logprobs: [] };
        return [this.#frame("response.output_text.delta", fields)];
      }
      case "refusal":
        return [this.#frame("response.refusal.delta", { ...this.#place(block), delta })];
      case "thinking": {
        const fields = { ...this.#summaryPlace(block), delta };
        return [this.#frame("response.reasoning_summary_text.delta", fields)];
      }
      case "tool":
      default:
        return [
          this.#frame(`${argumentsEvent(block)}.delta`, { ...this.#itemPlace(block), delta }),
        ];
    }
  }

  close(block: Block): readonly Frame[] {
    const item = this.#item(block, "completed");
    const ends = this.#ends(block);
    return [...ends, this.#frame("response.output_item.done", { output_index: block.index, item })];
  }

  finish(blocks: readonly Block[], ending: Ending): readonly Frame[] {
    const { stop } = ending;
    const type = stop === "max_tokens" ? "response.incomplete" : "response.completed";
    return [this.#frame(type, { response: this.whole(blocks, ending) })];
  }

  error(kind: ErrorKind, message: string): readonly Frame[] {
    const { body } = openAiError({ kind, message, limit: undefined, requestId: "" });
    return [this.#frame("error", body)];
  }

  whole(blocks: readonly Block[], { stop, usage }: Ending): Readonly<Record<string, unknown>> {
    const cut = stop === "max_tokens";
    return {
      ...this.#response(
        cut ? "incomplete" : "completed",
        blocks.map((block) => this.#item(block, "completed")),
      ),
      incomplete_details: cut ? { reason: "max_output_tokens" } : null,
      usage: usageOf(usage),
    };
  }

  #ends(block: Block): Frame[] {
    const { content } = block;
    switch (block.type) {
      case "tool": {
        const done = block.tool?.freeForm === true ? { input: content } : { arguments: content };
        const fields = { ...this.#itemPlace(block), ...done, name: block.tool?.name };
        return [this.#frame(`${argumentsEvent(block)}.done`, fields)];
      }
      case "thinking": {
        const place = this.#summaryPlace(block);
        const part = { type: "summary_text", text: content };
        return [
          this.#frame("response.reasoning_summary_text.done", { ...place, text: content }),
          this.#frame("response.reasoning_summary_part.done", { ...place, part }),
        ];
      }
      case "text":
      case "refusal":
      default: {
        const place = this.#place(block);
        const [type, done] =
          block.type === "text"
            ? ["response.output_text.done", { text: content, logprobs: [] }]
            : ["response.refusal.done", { refusal: content }];
        return [
          this.#frame(type, { ...place, ...done }),
          this.#frame("response.content_part.done", { ...place, part: contentPart(block) }),
        ];
      }
    }
  }

  #frame(type: string, fields: Readonly<Record<string, unknown>>): Frame {
    const sequenceNumber = this.#sequence;
    this.#sequence += 1;
    return { event: type, data: { type, sequence_number: sequenceNumber, ...fields } };
  }

  #item(block: Block, status: "in_progress" | "completed"): Record<string, unknown> {
    return responsesItem(block, this.#context.n, status);
  }

  #itemPlace(block: Block): Record<string, unknown> {
    return { item_id: this.#item(block, "in_progress")["id"], output_index: block.index };
  }

  #place(block: Block): Record<string, unknown> {
    return { ...this.#itemPlace(block), content_index: 0 };
  }

  #summaryPlace(block: Block): Record<string, unknown> {
    return { ...this.#itemPlace(block), summary_index: 0 };
  }

  #response(status: string, output: unknown[]): Record<string, unknown> {
    const { n, createdAt, request } = this.#context;
    return {
      id: `resp_fake_${n}`,
      object: "response",
      created_at: Math.floor(createdAt.getTime() / 1000),
      status,
      error: null,
      incomplete_details: null,
      model: request.model,
      output,
      usage: null,
    };
  }
}

function argumentsEvent({ tool }: Block): string {
  const freeForm = tool?.freeForm === true;
  return freeForm ? "response.custom_tool_call_input" : "response.function_call_arguments";
}

function usageOf(usage: Usage): object {
  const input = promptTokens(usage);
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: usage.cacheReadTokens,
      cache_write_tokens: usage.cacheWriteTokens,
    },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: input + usage.outputTokens,
  };
}
