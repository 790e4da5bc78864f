import * as z from "zod";

import { type AnswerFacts, noFacts, tokenUsage } from "./answer-facts.ts";
import { type AnswerReader, Count, ProviderError, Text } from "./answer-reader.ts";

const Usage = z.object({
  input_tokens: Count,
  cache_creation_input_tokens: Count,
  cache_read_input_tokens: Count,
  output_tokens: Count,
});
type Usage = z.infer<typeof Usage>;

const Block = z.object({ type: Text }).catch({});

const Message = z.object({
  model: Text,
  usage: Usage.optional().catch(undefined),
  content: z.array(Block).optional().catch(undefined),
});

const Event = z.object({
  type: Text,
  message: Message.optional().catch(undefined),
  content_block: Block.optional(),
  usage: Usage.optional().catch(undefined),
  error: ProviderError.optional().catch(undefined),
});

const WANTED = new Set(["message_start", "content_block_start", "message_delta", "message_stop"]);

/** Anthropic's Messages. */
export class MessagesReader implements AnswerReader {
  readonly facts: AnswerFacts = noFacts();
  #usage: Usage = {};

  wants(event: string | undefined): boolean {
    return event === undefined || event === "error" || WANTED.has(event);
  }

  event(data: unknown): void {
    const { data: event } = Event.safeParse(data);
    if (event === undefined) return;
    const { type, message, content_block: block, usage, error } = event;
    if (message !== undefined) this.#message(message);
    if (usage !== undefined) this.#count(usage);
    if (block?.type === "tool_use") this.facts.hasToolCalls = true;
    if (error !== undefined) this.facts.error = error;
    if (type === "message_stop" || type === "error") this.facts.isWhole = true;
  }

  ended(): void {
    // Its last event has said so, or it is not whole.
  }

  whole(body: unknown): void {
    const { data: message } = Message.safeParse(body);
    if (message !== undefined) this.#message(message);
  }

  #message({ model, usage, content = [] }: z.infer<typeof Message>): void {
    this.facts.model = model ?? this.facts.model;
    if (usage !== undefined) this.#count(usage);
    if (content.some(({ type }) => type === "tool_use")) this.facts.hasToolCalls = true;
  }

  /** Later figures are sums of the whole answer, and take the place of earlier ones where they are told. */
  #count(usage: Usage): void {
    const told = Object.entries(usage).filter(([, value]) => typeof value === "number");
    this.#usage = { ...this.#usage, ...Object.fromEntries(told) };
    this.facts.tokens = tokenUsage({
      anew: this.#usage.input_tokens ?? null,
      cacheRead: this.#usage.cache_read_input_tokens,
      cacheWrite: this.#usage.cache_creation_input_tokens,
      output: this.#usage.output_tokens ?? null,
    });
  }
}
