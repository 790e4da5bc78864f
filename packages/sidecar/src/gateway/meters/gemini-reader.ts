import * as z from "zod";

import { type AnswerFacts, noFacts, tokenUsage } from "./answer-facts.ts";
import { type AnswerReader, Count, ProviderError, Text } from "./answer-reader.ts";

const Usage = z.object({
  promptTokenCount: Count,
  toolUsePromptTokenCount: Count,
  cachedContentTokenCount: Count,
  candidatesTokenCount: Count,
  thoughtsTokenCount: Count,
});

const Part = z.object({ functionCall: z.unknown().optional() }).catch({});

const Answer = z.object({
  candidates: z
    .array(
      z.object({
        content: z
          .object({ parts: z.array(Part).optional().catch(undefined) })
          .optional()
          .catch(undefined),
        finishReason: Text,
      }),
    )
    .optional()
    .catch(undefined),
  promptFeedback: z.object({ blockReason: Text }).optional().catch(undefined),
  usageMetadata: Usage.optional().catch(undefined),
  modelVersion: Text,
  error: ProviderError.optional().catch(undefined),
});

/** Gemini. Its streams have no last event: they are whole when they end. */
export class GeminiReader implements AnswerReader {
  readonly facts: AnswerFacts = noFacts();
  #isFinished = false;

  wants(): boolean {
    return true;
  }

  event(data: unknown): void {
    this.#answer(data);
    if (this.facts.error !== undefined) this.facts.isWhole = true;
  }

  ended(): void {
    this.facts.isWhole ||= this.#isFinished;
  }

  /** Without `alt=sse` a stream is an array of answers. */
  whole(body: unknown): void {
    for (const answer of Array.isArray(body) ? body : [body]) this.#answer(answer);
  }

  #answer(value: unknown): void {
    const { data: answer } = Answer.safeParse(value);
    if (answer === undefined) return;
    const { candidates = [], promptFeedback, usageMetadata: usage, modelVersion, error } = answer;
    const hasReason = candidates.some(({ finishReason }) => finishReason !== undefined);
    if (hasReason || promptFeedback?.blockReason !== undefined) this.#isFinished = true;
    this.facts.model = modelVersion ?? this.facts.model;
    const parts = candidates.flatMap(({ content }) => content?.parts ?? []);
    if (parts.some(({ functionCall }) => functionCall !== undefined)) {
      this.facts.hasToolCalls = true;
    }
    if (error !== undefined) {
      this.facts.error = { type: error.status ?? error.type, message: error.message };
    }
    if (usage !== undefined) this.#count(usage);
  }

  /** Each piece of a stream has the figures so far. */
  #count(usage: z.infer<typeof Usage>): void {
    const { promptTokenCount: prompt, cachedContentTokenCount: cacheRead } = usage;
    const { candidatesTokenCount: candidates, thoughtsTokenCount: thinking } = usage;
    const hasInput = prompt !== undefined && prompt !== null;
    const hasOutput = (candidates ?? thinking ?? undefined) !== undefined;
    const input = (prompt ?? 0) + (usage.toolUsePromptTokenCount ?? 0);
    this.facts.tokens = tokenUsage({
      anew: hasInput ? Math.max(0, input - (cacheRead ?? 0)) : null,
      cacheRead,
      output: hasOutput ? (candidates ?? 0) + (thinking ?? 0) : null,
      thinking,
    });
  }
}
