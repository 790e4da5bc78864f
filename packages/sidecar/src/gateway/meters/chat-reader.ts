import * as z from "zod";

import { type AnswerFacts, noFacts, tokenUsage } from "./answer-facts.ts";
import { type AnswerReader, Count, ProviderError, Text } from "./answer-reader.ts";

const Usage = z.object({
  prompt_tokens: Count,
  prompt_tokens_details: z
    .object({ cached_tokens: Count, cache_write_tokens: Count })
    .nullish()
    .catch(undefined),
  completion_tokens: Count,
  completion_tokens_details: z.object({ reasoning_tokens: Count }).nullish().catch(undefined),
});

const Said = z
  .object({ tool_calls: z.array(z.unknown()).nullish().catch(undefined) })
  .nullish()
  .catch(undefined);

/** A whole answer, or a piece of one. */
const Completion = z.object({
  model: Text,
  choices: z
    .array(z.object({ message: Said, delta: Said }))
    .optional()
    .catch(undefined),
  usage: Usage.nullish().catch(undefined),
  error: ProviderError.optional().catch(undefined),
});

/** OpenAI's Chat Completions, and those who speak it too. */
export class ChatReader implements AnswerReader {
  readonly facts: AnswerFacts = noFacts();

  wants(_event: string | undefined, data: string): boolean {
    if (data.trim() !== "[DONE]") return true;
    this.facts.isWhole = true;
    return false;
  }

  event(data: unknown): void {
    this.whole(data);
    if (this.facts.error !== undefined) this.facts.isWhole = true;
  }

  ended(): void {
    // Its last event has said so, or it is not whole.
  }

  whole(body: unknown): void {
    const { data: completion } = Completion.safeParse(body);
    if (completion === undefined) return;
    const { model, choices = [], usage, error } = completion;
    this.facts.model = model ?? this.facts.model;
    if (choices.some(({ message, delta }) => (message ?? delta)?.tool_calls?.length)) {
      this.facts.hasToolCalls = true;
    }
    if (error !== undefined) this.facts.error = error;
    if (usage !== undefined && usage !== null) this.#count(usage);
  }

  #count(usage: z.infer<typeof Usage>): void {
    const cacheRead = usage.prompt_tokens_details?.cached_tokens;
    const cacheWrite = usage.prompt_tokens_details?.cache_write_tokens;
    const input = usage.prompt_tokens ?? null;
    this.facts.tokens = tokenUsage({
      anew: input === null ? null : Math.max(0, input - (cacheRead ?? 0) - (cacheWrite ?? 0)),
      cacheRead,
      cacheWrite,
      output: usage.completion_tokens ?? null,
      thinking: usage.completion_tokens_details?.reasoning_tokens,
    });
  }
}
