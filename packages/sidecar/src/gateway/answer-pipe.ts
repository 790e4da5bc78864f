import type { IncomingHttpHeaders } from "node:http";
import { Transform, type TransformCallback } from "node:stream";

import type { Clock } from "@agentos/core";

import type { CallRecord } from "./call-record.ts";
import { GATEWAY_BOUNDS } from "./gateway-bounds.ts";
import type { KeyMask } from "./key-mask.ts";
import type { AnswerFacts } from "./meters/answer-facts.ts";
import { AnswerMeter } from "./meters/answer-meter.ts";
import type { AnswerFormat } from "./model-paths.ts";

export interface AnswerPipeOptions {
  readonly clock: Clock;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Undefined: no call of a model. */
  readonly format: AnswerFormat | undefined;
  readonly record: CallRecord;
  readonly mask: KeyMask;
  readonly moved: () => void;
  readonly heard: () => void;
}

/** An answer on its way: read before it is passed on, so that nobody has seen an end that was not counted. */
export class AnswerPipe extends Transform {
  readonly #options: AnswerPipeOptions;
  readonly #length: number | undefined;
  readonly #meter: AnswerMeter | undefined;
  /** What a provider says to a refusal. */
  #errorBody = Buffer.alloc(0);
  #bytes = 0;
  #heardMs = Number.NEGATIVE_INFINITY;

  constructor(options: AnswerPipeOptions) {
    super();
    this.#options = options;
    const { headers, format } = options;
    this.#length = lengthOf(headers);
    const isStream = headers["content-type"]?.startsWith("text/event-stream") === true;
    if (format === undefined || !this.#isAnswer) return;
    this.#meter = new AnswerMeter({ format, isStream, length: this.#length });
  }

  get facts(): Readonly<AnswerFacts> | undefined {
    return this.#meter?.facts;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const { mask, moved } = this.#options;
    moved();
    this.#heard();
    this.#bytes += chunk.byteLength;
    this.#meter?.take(chunk);
    if (this.#meter?.facts.isWhole === true) this.#whole();
    if (!this.#isAnswer) this.#gather(chunk);
    const shown = mask.push(chunk);
    done(null, shown.byteLength === 0 ? undefined : shown);
  }

  override _flush(done: TransformCallback): void {
    const { record, status, mask } = this.#options;
    this.#meter?.end();
    if (!this.#isAnswer) this.#refused();
    else if (this.#meter?.facts.isWhole === true) this.#whole();
    else record.broken(status, this.#meter?.facts, "its answer ended in the middle");
    const rest = mask.end();
    done(null, rest.byteLength === 0 ? undefined : rest);
  }

  get #isAnswer(): boolean {
    const { status } = this.#options;
    return status >= 200 && status < 300;
  }

  #heard(): void {
    const nowMs = this.#options.clock.now();
    if (nowMs - this.#heardMs < GATEWAY_BOUNDS.heardMs) return;
    this.#heardMs = nowMs;
    this.#options.heard();
  }

  #whole(): void {
    const { record, status } = this.#options;
    if (this.#meter !== undefined) record.whole(status, this.#meter.facts);
  }

  #gather(chunk: Buffer): void {
    const room = GATEWAY_BOUNDS.errorBytes - this.#errorBody.byteLength;
    this.#errorBody = Buffer.concat([this.#errorBody, chunk.subarray(0, Math.max(0, room))]);
    if (this.#bytes === this.#length) this.#refused();
  }

  #refused(): void {
    const { record, status, headers } = this.#options;
    record.refused(status, headers, this.#errorBody.toString());
  }
}

function lengthOf(headers: IncomingHttpHeaders): number | undefined {
  const length = Number(headers["content-length"] ?? "none");
  return Number.isSafeInteger(length) ? length : undefined;
}
