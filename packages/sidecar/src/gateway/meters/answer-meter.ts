import { createParser, type EventSourceParser } from "eventsource-parser";

import { GATEWAY_BOUNDS } from "../gateway-bounds.ts";
import type { AnswerFormat } from "../model-paths.ts";
import type { AnswerFacts } from "./answer-facts.ts";
import type { AnswerReader } from "./answer-reader.ts";
import { ChatReader } from "./chat-reader.ts";
import { GeminiReader } from "./gemini-reader.ts";
import { MessagesReader } from "./messages-reader.ts";
import { ResponsesReader } from "./responses-reader.ts";

const READERS: Readonly<Record<AnswerFormat, () => AnswerReader>> = {
  messages: () => new MessagesReader(),
  responses: () => new ResponsesReader(),
  chat: () => new ChatReader(),
  gemini: () => new GeminiReader(),
};

export interface AnswerShape {
  readonly format: AnswerFormat;
  /** Server-sent events; else one JSON text. */
  readonly isStream: boolean;
  /** Bytes of the body, where its headers say. */
  readonly length: number | undefined;
}

/** Reads the figures of one answer as its bytes pass. It keeps none of them beyond one event, or a whole answer within the bound. */
export class AnswerMeter {
  readonly #reader: AnswerReader;
  readonly #length: number | undefined;
  readonly #decoder = new TextDecoder();
  readonly #events: EventSourceParser | undefined;
  /** Pieces of an answer that is no stream. */
  #pieces: string[] = [];
  #chars = 0;
  #bytes = 0;
  /** It is larger than what is read. */
  #isBlind = false;

  constructor({ format, isStream, length }: AnswerShape) {
    this.#reader = READERS[format]();
    this.#length = length;
    this.#events = isStream ? this.#parser() : undefined;
  }

  get facts(): Readonly<AnswerFacts> {
    return this.#reader.facts;
  }

  take(chunk: Buffer): void {
    this.#bytes += chunk.byteLength;
    if (this.#isBlind) return;
    const text = this.#decoder.decode(chunk, { stream: true });
    if (this.#events !== undefined) {
      this.#events.feed(text);
      return;
    }
    this.#chars += text.length;
    this.#isBlind = this.#chars > GATEWAY_BOUNDS.readChars;
    if (this.#isBlind) this.#pieces = [];
    else this.#pieces.push(text);
    if (this.#bytes === this.#length) this.#readWhole();
  }

  /** The body has ended as it should. */
  end(): void {
    if (this.#isBlind) return;
    if (this.#events !== undefined) this.#reader.ended();
    else if (this.#bytes !== this.#length) this.#readWhole();
  }

  #readWhole(): void {
    const body = parseJson(this.#pieces.join(""));
    this.#pieces = [];
    this.#reader.whole(body);
    if (body !== undefined) this.#reader.facts.isWhole = true;
  }

  #parser(): EventSourceParser {
    return createParser({
      maxBufferSize: GATEWAY_BOUNDS.readChars,
      onEvent: ({ event, data }) => {
        if (this.#reader.wants(event, data)) this.#reader.event(parseJson(data));
      },
      onError: ({ type }) => {
        this.#isBlind ||= type === "max-buffer-size-exceeded";
      },
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // It says nothing: what it is for its reader is the agent's to find out.
    return undefined;
  }
}
