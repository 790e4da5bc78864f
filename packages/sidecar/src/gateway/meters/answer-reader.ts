import * as z from "zod";

import type { AnswerFacts } from "./answer-facts.ts";

/** Reads what a provider's answer says of itself, in one wire format. What does not parse says nothing. */
export interface AnswerReader {
  readonly facts: AnswerFacts;
  /** Whether an event of a stream can say something; the rest is not parsed. */
  wants(event: string | undefined, data: string): boolean;
  /** One event of a stream, as JSON. */
  event(data: unknown): void;
  /** A whole answer, as JSON. */
  whole(body: unknown): void;
  /** A stream has ended as it should, as far as HTTP knows. */
  ended(): void;
}

/** A figure; anything else says nothing. */
export const Count = z.int().min(0).nullish().catch(undefined);
export const Text = z.string().optional().catch(undefined);

/** An error as all providers write it. */
export const ProviderError = z.object({
  message: z.string().catch("no reason was given"),
  type: Text,
  status: Text,
});
