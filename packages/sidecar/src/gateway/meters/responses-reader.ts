import * as z from "zod";

import { type AnswerFacts, noFacts, tokenUsage } from "./answer-facts.ts";
import { type AnswerReader, Count, ProviderError, Text } from "./answer-reader.ts";

const Usage = z.object({
  input_tokens: Count,
  input_tokens_details: z
    .object({ cached_tokens: Count, cache_write_tokens: Count })
    .optional()
    .catch(undefined),
  output_tokens: Count,
  output_tokens_details: z.object({ reasoning_tokens: Count }).optional().catch(undefined),
});

const Item = z.object({ type: Text }).catch({});

const Response = z.object({
  model: Text,
  usage: Usage.optional().catch(undefined),
  output: z.array(Item).optional().catch(undefined),
  error: ProviderError.optional().catch(undefined),
});

const Event = z.object({
  type: Text,
  response: Response.optional().catch(undefined),
  item: Item.optional(),
  message: Text,
  code: Text,
});

const ENDS = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);
/** Deltas come by the thousand and say nothing of this. */
const WANTED = new Set([...ENDS, "response.created", "response.output_item.added"]);
/** Enough of an event for its type, which comes first. */
const TYPE = /^\s*\{\s*"type"\s*:\s*"([a-z_.]{1,80})"/;

/** OpenAI's Responses. */
export class ResponsesReader implements AnswerReader {
  readonly facts: AnswerFacts = noFacts();

  wants(event: string | undefined, data: string): boolean {
    const type = event ?? TYPE.exec(data)?.[1];
    return type === undefined || WANTED.has(type);
  }

  event(data: unknown): void {
    const { data: event } = Event.safeParse(data);
    if (event === undefined) return;
    const { type = "", response, item, message, code } = event;
    if (response !== undefined) this.#response(response);
    if (isCall(item)) this.facts.hasToolCalls = true;
    if (type === "error") {
      this.facts.error = { type: code, message: message ?? "no reason was given" };
    }
    if (ENDS.has(type)) this.facts.isWhole = true;
  }

  ended(): void {
    // Its last event has said so, or it is not whole.
  }

  whole(body: unknown): void {
    const { data: response } = Response.safeParse(body);
    if (response !== undefined) this.#response(response);
  }

  #response({ model, usage, output = [], error }: z.infer<typeof Response>): void {
    this.facts.model = model ?? this.facts.model;
    if (output.some(isCall)) this.facts.hasToolCalls = true;
    if (error !== undefined) this.facts.error = error;
    if (usage === undefined) return;
    const cacheRead = usage.input_tokens_details?.cached_tokens;
    const cacheWrite = usage.input_tokens_details?.cache_write_tokens;
    const input = usage.input_tokens ?? null;
    this.facts.tokens = tokenUsage({
      anew: input === null ? null : Math.max(0, input - (cacheRead ?? 0) - (cacheWrite ?? 0)),
      cacheRead,
      cacheWrite,
      output: usage.output_tokens ?? null,
      thinking: usage.output_tokens_details?.reasoning_tokens,
    });
  }
}

/** What the client is to run: function, custom, shell and computer calls alike. */
function isCall(item: z.infer<typeof Item> | undefined): boolean {
  return item?.type?.endsWith("_call") === true && !item.type.startsWith("web_search");
}
